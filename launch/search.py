"""Searches settings by Optuna: `python -m launch.search --ranges=... --trials=40`.

The flags of the experiment say what all trials share, and `--ranges` what is searched:
`'learning_rate=log:1e-4..1e-1;dropout=0..0.5;cell=lstm,gru'`. Each trial is a run with
a workdir in `DIR/runs`; its best validation loss is what counts. A trial that is worse
than the median of those before it, at the same step, is pruned; pruning needs several
validations a run (`--eval_every`). The same command goes on where it was stopped or
killed; with more `--trials`, it searches on. Needs the extra `search`.
"""

import os
import shlex
from collections.abc import Mapping
from typing import Any

from absl import flags

import experiments
from launch.flags import define, peek, read, start

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "experiment", "language_modeling", list(experiments.EXPERIMENTS), "what to run"
)
flags.DEFINE_string(
    "workdir", None, "folder for all that the search writes", required=True
)
flags.DEFINE_string("ranges", None, "settings and ranges", required=True)
flags.DEFINE_integer("trials", 40, "runs in all", lower_bound=1)
flags.DEFINE_integer("search_seed", 0, "of what is asked for", lower_bound=0)
flags.DEFINE_integer(
    "workers",
    None,
    "runs side by side; by default as many as cores, or GPUs if there are several",
    lower_bound=1,
)


def main() -> None:
    """Runs trials, and prints the best."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from launch.records import Record, arguments
    from launch.sweeping import local, points, search, space
    from launch.sweeping.board import Board
    from launch.sweeping.jobs import Ended, Job
    from rnnlab.errors import SweepIncomplete
    from rnnlab.options import flat, replaced
    from rnnlab.training import workdir
    from rnnlab.training.events import Events

    config = read(experiments.config(FLAGS.experiment))
    axes = space.Settings(config).axes("ranges", FLAGS.ranges)
    folder = workdir.resolve(FLAGS.workdir)
    experiments.load(FLAGS.experiment).build(config).check()
    workdir.probe(folder)

    def make(values: Mapping[str, Any]) -> Job:
        chosen = replaced(config, values)
        key = points.key_of(FLAGS.experiment, chosen)
        name = points.Point(key, values, chosen).name
        given = tuple(arguments(Record(FLAGS.experiment, chosen)))
        return Job(key, name, given, folder / points.RUNS / key)

    with workdir.lock(folder):
        about = search.about(FLAGS.experiment, flat(config), FLAGS.ranges)
        study = search.open_study(folder, about, FLAGS.search_seed)
        log = Events(folder)
        with Board(FLAGS.trials, search.ended(study)) as board:

            def told(job: Job, end: Ended) -> None:
                log.write(end.state, run=job.key, point=job.name, message=end.message)
                board.told(job, end)

            workers = FLAGS.workers or local.most()
            search.run(study, axes, FLAGS.trials, workers, make, board, told)
        best = search.best(study)
        if best is None:
            raise SweepIncomplete(
                f"One of {FLAGS.trials} trials was to finish, but none has;"
                f" {folder}/events.jsonl says why."
            )
        loss, values = best
        print(f"best validation loss: {loss:.5g}")
        command = ["python", "-m", "launch.run", *make(values).arguments]
        print(shlex.join([*command, "--workdir=DIR"]))
        if failed := board.counts["failed"]:
            raise SweepIncomplete(
                f"All {FLAGS.trials} trials were to finish, but {failed} failed, and"
                f" {folder}/events.jsonl says why."
            )


if __name__ == "__main__":
    define(experiments.config(peek("experiment", tuple(experiments.EXPERIMENTS)))())
    start(main)
