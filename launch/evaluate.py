"""Measures a trained model: `python -m launch.evaluate --workdir=DIR --split=test`.

The whole split is read with carried states, every token but its first counted once.
The figures are printed and kept in the workdir's `result.json`. With
`--eval_batch_size=1` the split is one row, so that each token is predicted from all
before it; more rows are faster and begin from a blank state once a row.
"""

import json

from absl import flags

from launch import of_run
from launch.flags import start

FLAGS = flags.FLAGS

of_run.define_workdir()
of_run.define_data()
flags.DEFINE_enum("split", "test", ["valid", "test"], "what to measure on")
flags.DEFINE_integer("eval_batch_size", None, "rows, if not the run's", lower_bound=1)
flags.DEFINE_string("engine", None, "how steps are executed, if not as in the run")
flags.DEFINE_integer(
    "masks", None, "of dropout, to take the mean probability over", lower_bound=2
)


def main() -> None:
    """Evaluates the best checkpoint and prints its figures as JSON."""
    from experiments.language_modeling import masks
    from launch import results, trained
    from rnnlab.training import workdir

    given = of_run.given("eval_batch_size", "engine")
    record, experiment, params, _ = trained.with_data(FLAGS.workdir, given, FLAGS.split)
    if FLAGS.masks is not None:
        masks.check(record.config)
    nats = experiment.costs(params, FLAGS.split)
    figures = results.measured(experiment, nats, FLAGS.split)
    if FLAGS.masks is not None:
        given = experiment.task, params, FLAGS.split, FLAGS.masks, record.config.length
        spread = masks.spread(masks.costs(*given))
        figures["masks"] = {
            "masks": FLAGS.masks,
            **results.measured(experiment, spread.nats, FLAGS.split),
            "loss_alone": spread.alone.tolist(),
            "deviation": spread.deviation,
        }
    rows = FLAGS.eval_batch_size
    # With other rows it is another figure: runs are ranked by those with their own.
    name = FLAGS.split if rows is None else f"{FLAGS.split}_of_{rows}_rows"
    print(json.dumps({name: figures}, indent=2))
    results.add(workdir.resolve(FLAGS.workdir), {name: figures})


if __name__ == "__main__":
    start(main)
