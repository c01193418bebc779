"""Measures a trained model: `python -m launch.evaluate --workdir=DIR --split=test`.

The whole split is read with carried states, every token but its first counted once.
The figures are printed and kept in the workdir's `result.json`. With
`--eval_batch_size=1` the split is one row, so that each token is predicted from all
before it; more rows are faster and begin from a blank state once a row.
"""

import dataclasses
import json

from absl import flags

from launch.flags import start

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "workdir", None, "folder of a finished or stopped run", required=True
)
flags.DEFINE_enum("split", "test", ["valid", "test"], "what to measure on")
flags.DEFINE_string("data", None, "where the run's data lies now, if it has moved")
flags.DEFINE_string("cache_dir", None, "of tokenised text; by default ~/.cache/rnnlab")
flags.DEFINE_integer("eval_batch_size", None, "rows, if not the run's", lower_bound=1)
flags.DEFINE_string("engine", None, "how steps are executed, if not as in the run")


def main() -> None:
    """Evaluates the best checkpoint and prints its figures as JSON."""
    import experiments
    from launch import records, results, trained
    from rnnlab import files
    from rnnlab.errors import InputError
    from rnnlab.training import workdir
    from rnnlab.training.evaluate import evaluator

    record, _, state = trained.restore(FLAGS.workdir)
    names = ("data", "eval_batch_size", "engine")
    given = {name: FLAGS[name].value for name in names if FLAGS[name].present}
    given["cache_dir"] = FLAGS.cache_dir  # not where a stranger's record says
    config = dataclasses.replace(record.config, **given)
    experiment = experiments.load(record.experiment).build(config)
    folder = workdir.resolve(FLAGS.workdir)
    records.check_data(record, dataclasses.replace(record, data=experiment.record))
    if FLAGS.split not in experiment.task.splits:
        raise InputError(
            f"--split must be one that the data has"
            f" ({', '.join(experiment.task.splits)}), got {FLAGS.split}."
        )
    loss = evaluator(experiment.task)(state.params, FLAGS.split)
    figures = results.figures(experiment, loss, FLAGS.split)
    if FLAGS.eval_batch_size is not None:
        figures["eval_batch_size"] = FLAGS.eval_batch_size
    print(json.dumps({FLAGS.split: figures}, indent=2))
    known = results.read(folder)
    files.write_json(folder / results.RESULT, known | {FLAGS.split: figures})


if __name__ == "__main__":
    start(main)
