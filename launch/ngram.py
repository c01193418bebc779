"""Measures an n-gram model: `python -m launch.ngram --data=ptb/ --tokens=word`.

It is what a network has to beat: interpolated modified Kneser-Ney, counted in the train
split and measured on the others, on the tokens that `launch.run` would train on with
the same flags. The figures are printed and, with a workdir, kept in its `ngram.json`.
"""

import json

from absl import flags

from experiments.language_modeling.ngram import NGram
from launch.flags import define, read, start

FLAGS = flags.FLAGS

flags.DEFINE_string("workdir", None, "folder that is to have the figures, if any")


def main() -> None:
    """Counts, measures, and prints the figures as JSON."""
    from experiments.language_modeling.ngram import measure
    from launch import results
    from rnnlab import files
    from rnnlab.training import workdir

    settings = read(NGram)
    if FLAGS.workdir is not None:
        workdir.probe(workdir.resolve(FLAGS.workdir))
    found = measure(settings)
    found |= {"commit": results.commit(), "device": results.device()}
    print(json.dumps(found, indent=2))
    if FLAGS.workdir is not None:
        files.write_json(workdir.resolve(FLAGS.workdir) / "ngram.json", found)


if __name__ == "__main__":
    define(NGram())
    start(main)
