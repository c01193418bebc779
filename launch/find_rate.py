"""Suggests a learning rate: `python -m launch.find_rate --workdir=DIR`.

With the flags of an experiment. The rate rises from --lowest to --highest over --tries
steps from the start, or until the loss diverges. The workdir gets `rates.png`,
`rates.svg` and `rates.json`. It takes as long as so many steps of training.
"""

import json

from absl import flags

import experiments
from launch.flags import define, peek, read, start
from rnnlab.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "experiment", "language_modeling", list(experiments.EXPERIMENTS), "what to run"
)
flags.DEFINE_string("workdir", None, "folder for the picture", required=True)
flags.DEFINE_float("lowest", 1e-5, "the first learning rate", lower_bound=1e-30)
flags.DEFINE_float("highest", 100.0, "the last learning rate", upper_bound=1e30)
flags.DEFINE_integer("tries", 200, "steps between them", lower_bound=20)


def main() -> None:
    """Trains for some steps; draws and prints what they suggest."""
    import numpy as np

    from experiments import drawing
    from launch import rising
    from rnnlab import files
    from rnnlab.training import finder, workdir

    if not FLAGS.lowest < FLAGS.highest:
        raise InputError(
            f"--highest must be above --lowest={FLAGS.lowest:g}, got"
            f" {FLAGS.highest:g}; raise it."
        )
    config = read(experiments.config(FLAGS.experiment))
    folder = workdir.resolve(FLAGS.workdir)
    workdir.probe(folder)
    experiment = experiments.load(FLAGS.experiment).build(config)
    experiment.check()
    rates = np.geomspace(FLAGS.lowest, FLAGS.highest, FLAGS.tries)
    tried = finder.rising(experiment.task, experiment.training, rates)
    found = finder.verdict(tried, FLAGS.tries)
    drawing.save(rising.figure(tried, found, FLAGS.tries), folder, "rates")
    known = {"rates": tried.rates.tolist(), "losses": rising.plain(tried.losses)}
    files.write_json(folder / "rates.json", known | found._asdict())
    print(json.dumps(found._asdict(), indent=2))
    if found.cautious is None:
        print(f"The loss did not diverge up to {FLAGS.highest:g}; raise --highest.")


if __name__ == "__main__":
    define(experiments.config(peek("experiment", tuple(experiments.EXPERIMENTS)))())
    start(main)
