"""What a command does with a workdir before, while and after a run is trained."""

import contextlib
from pathlib import Path
from typing import Any

from launch import curves, records, results
from launch.records import Record
from rnnlab import files
from rnnlab.errors import Diverged, Preempted, RunError
from rnnlab.training import events, workdir


def enter(
    folder: Path,
    record: Record,
    held: contextlib.ExitStack,
    resume: bool,
    override: bool,
) -> list[str]:
    """Takes the workdir while `held` is open; returns the settings overridden."""
    workdir.probe(folder)
    held.enter_context(workdir.lock(folder))
    old = records.read(folder)
    return records.check(folder, old, record, resume, override)


def check_data(folder: Path, record: Record) -> dict[str, Any]:
    """Refuses other data than the workdir's run had; returns its old result."""
    records.check_data(records.read(folder), record)
    return results.read(folder)


def begin(folder: Path, record: Record, changed: list[str]) -> None:
    """Tells which settings are overridden, and writes `config.json`."""
    if changed:
        told = f"the run goes on with other settings ({'; '.join(changed)})"
        events.Events(folder).warn(told, "overridden", changed=changed)
    records.write(folder, record)


def failed(folder: Path, error: Exception) -> None:
    """Writes and draws how far the run came."""
    with contextlib.suppress(RunError):  # the first error is told
        if not isinstance(error, (Diverged, Preempted)):  # told by the loop
            events.Events(folder).write("failed", message=str(error))
        curves.draw(folder)


def end(folder: Path, result: dict[str, Any], known: dict[str, Any]) -> None:
    """Writes the result; draws the curves."""
    if known.get("steps") == result["steps"]:
        result = known | result  # what was evaluated since still holds
    files.write_json(folder / results.RESULT, result)
    curves.draw(folder)
