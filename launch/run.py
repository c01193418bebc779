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
from pathlib import Path
from typing import Any

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
    "override", False, "with --resume: let rates, schedules and lengths differ"
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

    from launch import records, results
    from rnnlab.errors import RunError
    from rnnlab.training import loop, mesh, team, workdir

    config = read(experiments.config(FLAGS.experiment))
    folder = workdir.resolve(FLAGS.workdir)
    record = records.Record(FLAGS.experiment, config)
    with processes.joined(), contextlib.ExitStack() as held:
        layout = mesh.over(jax.devices(), FLAGS.shard)
        changed = team.lead(lambda: _enter(folder, record, held))
        experiment = experiments.load(FLAGS.experiment).build(config, layout)
        record = dataclasses.replace(record, data=experiment.record)
        known = team.lead(lambda: _check_data(folder, record))
        experiment.check()
        try:
            state, history = loop.fit(
                experiment.task,
                experiment.training,
                folder,
                record.to_json(),
                experiment.describe,
                experiment.targets,
                lambda: _begin(folder, record, changed),
                layout,
            )
        except RunError as error:
            if team.leads():
                _failed(folder, error)
            raise
        result = results.collect(experiment, record, state, history)
        team.lead(lambda: _end(folder, result, known))


def _enter(folder: Path, record: Any, held: contextlib.ExitStack) -> list[str]:
    """Takes the workdir while `held` is open; returns the settings overridden."""
    from launch import records
    from rnnlab.training import workdir

    workdir.probe(folder)
    held.enter_context(workdir.lock(folder))
    old = records.read(folder)
    return records.check(folder, old, record, FLAGS.resume, FLAGS.override)


def _check_data(folder: Path, record: Any) -> dict[str, Any]:
    """Refuses other data than the workdir's run had; returns its old result."""
    from launch import records, results

    records.check_data(records.read(folder), record)
    return results.read(folder)


def _begin(folder: Path, record: Any, changed: list[str]) -> None:
    """Tells which settings are overridden, and writes `config.json`."""
    from launch import records
    from rnnlab.training import events

    if changed:
        told = f"the run goes on with other settings ({'; '.join(changed)})"
        events.Events(folder).warn(told, "overridden", changed=changed)
    records.write(folder, record)


def _failed(folder: Path, error: Exception) -> None:
    """Writes and draws how far the run came."""
    from launch import curves
    from rnnlab.errors import Diverged, Preempted, RunError
    from rnnlab.training import events

    with contextlib.suppress(RunError):  # the first error is told
        if not isinstance(error, (Diverged, Preempted)):  # told by the loop
            events.Events(folder).write("failed", message=str(error))
        curves.draw(folder)


def _end(folder: Path, result: dict[str, Any], known: dict[str, Any]) -> None:
    """Draws the curves; writes and prints the result."""
    from launch import curves, results
    from rnnlab import files

    curves.draw(folder)
    if known.get("steps") == result["steps"]:
        result = known | result  # what was evaluated since still holds
    files.write_json(folder / results.RESULT, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    _experiment = peek("experiment", tuple(experiments.EXPERIMENTS))
    define(experiments.config(_experiment)())
    start(main)
