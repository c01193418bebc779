"""Runs many points of an experiment: `python -m launch.sweep --grid=... --workdir=DIR`.

The flags of the experiment say what all points share, and these what differs:

    --grid='cell=lstm,gru;features=128,256'   all combinations
    --ranges='learning_rate=log:1e-4..1e-1;dropout=0..0.5' --random=40   draws
    --ablate='dropout=0;clip_norm=none'       the base, and each change alone
    --seeds=5                                 of each configuration

DIR gets `sweep.json`, `events.jsonl` and, for each point, a workdir of `launch.run` in
`runs/`, named by a hash of its configuration. The same command goes on where it was
stopped or killed: a point that has finished or diverged is never repeated, one that was
under way goes on from its checkpoint, one that failed is tried again. With more values
or seeds, the sweep grows. `launch.table` and `launch.report` read what came of it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

import experiments
from launch.flags import define, peek, read, start

if TYPE_CHECKING:
    from launch.sweeping.points import Point

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "experiment", "language_modeling", list(experiments.EXPERIMENTS), "what to run"
)
flags.DEFINE_string(
    "workdir", None, "folder for all that the sweep writes", required=True
)
flags.DEFINE_string("grid", None, "settings and values: all combinations")
flags.DEFINE_string("ranges", None, "settings and ranges, which --random draws from")
flags.DEFINE_integer(
    "random", None, "draws from --ranges; equal ones are run once", lower_bound=1
)
flags.DEFINE_integer("draw_seed", 0, "of these draws", lower_bound=0)
flags.DEFINE_string("ablate", None, "settings and values: each change alone")
flags.DEFINE_integer("seeds", 1, "runs of each configuration", lower_bound=1)
flags.DEFINE_bool("dry_run", False, "print the points and what they cost, no more")
flags.DEFINE_bool("yes", False, "more than a thousand points are meant")
flags.DEFINE_enum(
    "executor",
    "local",
    ["local", "slurm", "submitit"],
    "who runs them: this machine, Slurm, or this machine as Slurm would",
)
flags.DEFINE_integer(
    "workers",
    None,
    "runs side by side; by default as many as cores, or GPUs if there are several,"
    " and with Slurm 64",
    lower_bound=1,
)
flags.DEFINE_integer(
    "together",
    1,
    "points that differ in seed, learning rate and dropout alone, trained as one"
    " program",
    lower_bound=1,
)
flags.DEFINE_float("hours", 24.0, "with Slurm: of a job, until it is queued again", 0.0)
flags.DEFINE_integer("cpus", 2, "with Slurm: cores of a job", lower_bound=1)
flags.DEFINE_float("memory_gb", None, "with Slurm: memory of a job", 0.0)
flags.DEFINE_integer("gpus", 0, "with Slurm: GPUs of a job", lower_bound=0)
flags.DEFINE_string("partition", None, "with Slurm: where jobs are queued")


def main() -> None:
    """Runs what is not finished yet, and prints the table of all."""
    # The points' processes have the accelerator; this one looks at shapes alone.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from launch.sweeping import cost, points
    from rnnlab.training import workdir

    config = read(experiments.config(FLAGS.experiment))
    names = points.Plan._fields
    plan = points.Plan(**{name: FLAGS[name].value for name in names})
    found = points.expand(FLAGS.experiment, config, plan, FLAGS.yes)
    folder = workdir.resolve(FLAGS.workdir)
    if FLAGS.dry_run:
        return print(cost.plan(FLAGS.experiment, found, folder))
    executor = _executor(folder)
    # A --data that is missing is told before anything is written.
    experiments.load(FLAGS.experiment).build(found[0].config).check()
    workdir.probe(folder)
    with workdir.lock(folder):
        points.write(folder, FLAGS.experiment, config, plan, found)
        _run(found, folder, executor)


def _executor(folder: Path) -> Any:
    """Returns submitit's executor that the flags ask for, None for this machine."""
    from launch.sweeping import cluster

    if FLAGS.executor == "local":
        return None
    asked = FLAGS.hours, FLAGS.cpus, FLAGS.memory_gb, FLAGS.gpus, FLAGS.partition
    resources = cluster.Resources(*asked, _parallel())
    return cluster.executor(FLAGS.executor, folder, resources)


def _parallel() -> int:
    """Returns how many runs there may be at a time."""
    from launch.sweeping import local

    return FLAGS.workers or (64 if FLAGS.executor == "slurm" else local.most())


def _run(found: "Sequence[Point]", folder: Path, executor: Any) -> None:
    """Runs the points of a sweep that have not ended, and tells how it went."""
    from launch import tables
    from launch.records import Record, arguments
    from launch.sweeping import board, cluster, grouped, local, points
    from launch.sweeping.jobs import Ended, Job, known
    from rnnlab.errors import InputError, SweepIncomplete
    from rnnlab.training.events import Events

    log = Events(folder)
    jobs = [
        Job(
            point.key,
            point.name,
            tuple(arguments(Record(FLAGS.experiment, point.config))),
            folder / points.RUNS / point.key,
        )
        for point in found
    ]
    left = [k for k, job in enumerate(jobs) if not known(job)]
    todo = [jobs[k] for k in left]
    if FLAGS.together > 1:
        todo = grouped.jobs([found[k] for k in left], todo, FLAGS.together)
    with board.Board(len(jobs), len(jobs) - len(left)) as shown:

        def told(job: Job, end: Ended) -> None:
            log.write(end.state, run=job.key, point=job.name, message=end.message)
            shown.told(job, end)

        if executor is None:
            local.run(todo, _parallel(), told, shown.watch)
        else:
            # Of an array, Slurm is told how many may run; this machine is not.
            most = len(todo) if FLAGS.executor == "slurm" else _parallel()
            cluster.run(todo, executor, most, log, folder, told, shown.watch)
    try:
        print(tables.text(tables.read(folder)))
    except InputError as error:  # nothing to show: of no point is there a loss
        print(error)
    if shown.counts["failed"]:
        raise SweepIncomplete(
            f"All {len(jobs)} points were to finish, but {shown.counts['failed']}"
            f" failed, and {folder}/events.jsonl says why; the same command tries these"
            f" again."
        )


if __name__ == "__main__":
    define(experiments.config(peek("experiment", tuple(experiments.EXPERIMENTS)))())
    start(main)
