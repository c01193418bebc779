"""Runs one experiment: `python -m launch.run --experiment=NAME --workdir=DIR`.

The workdir gets `config.json`, `metrics.jsonl`, `events.jsonl`, `tensorboard/`,
`curves.png`, `checkpoints/`, `best/` and `result.json`. The same command with
`--resume` goes on where a run was stopped, or begins one where there is none.

The rows of a batch are shared by all devices. Several processes are one run: see
`launch.processes` and launch/README.md.
"""

import contextlib
import dataclasses
import json

from absl import flags

import experiments
from launch import processes
from launch.flags import define, peek, read, start

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "experiment", "language_modeling", list(experiments.EXPERIMENTS), "what to run"
)
flags.DEFINE_string(
    "workdir", None, "folder for all that the run writes", required=True
)
flags.DEFINE_bool("resume", False, "go on with the run in the workdir, if there is one")
flags.DEFINE_bool(
    "override",
    False,
    "with --resume: let rates, schedules, dropout, epochs and steps differ",
)
flags.DEFINE_enum(
    "shard",
    "replicated",
    ["replicated", "fsdp"],
    "on several devices: copy all parameters, or cut those of embedding and output",
)


def main() -> None:
    """Trains what the flags describe and writes `result.json`."""
    # Imported here: --help does without flax, orbax and matplotlib.
    import jax

    from launch import bookkeeping, records, results
    from rnnlab.errors import RunError
    from rnnlab.training import loop, mesh, team, workdir

    config = read(experiments.config(FLAGS.experiment))
    folder = workdir.resolve(FLAGS.workdir)
    record = records.Record(FLAGS.experiment, config)
    with processes.joined(), contextlib.ExitStack() as held:
        layout = mesh.over(jax.devices(), FLAGS.shard)
        resume, override = FLAGS.resume, FLAGS.override
        changed = team.lead(
            lambda: bookkeeping.enter(folder, record, held, resume, override)
        )
        experiment = experiments.load(FLAGS.experiment).build(config, layout)
        record = dataclasses.replace(record, data=experiment.record)
        known = team.lead(lambda: bookkeeping.check_data(folder, record))
        experiment.check()
        try:
            state, history = loop.fit(
                experiment.task,
                experiment.training,
                folder,
                record.to_json(),
                experiment.describe,
                experiment.targets,
                lambda: bookkeeping.begin(folder, record, changed),
                layout,
            )
        except RunError as error:
            if team.leads():
                bookkeeping.failed(folder, error)
            raise
        result = results.collect(experiment, record, state, history)
        team.lead(lambda: bookkeeping.end(folder, result, known))
        if team.leads():
            print(json.dumps(result, indent=2))


if __name__ == "__main__":
    _experiment = peek("experiment", tuple(experiments.EXPERIMENTS))
    define(experiments.config(_experiment)())
    start(main)
