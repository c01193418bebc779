"""The runs in a folder: what each was asked, how far it came, what it reached."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from launch import records, results
from rnnlab import files
from rnnlab.errors import InputError
from rnnlab.options import flat
from rnnlab.training import events

DEEPEST = 4  # folders below the one that is named
HUGE = 1e300  # beyond it, infinity and NaN included, is no figure


class Run(NamedTuple):
    """One run, as its workdir shows it.

    Attributes:
        folder: the workdir.
        record: experiment, configuration and data.
        state: finished, running, stopped, pruned, diverged or failed.
        message: why it was pruned, diverged or failed, else empty.
        result: of `result.json`, {} where there is none yet.
    """

    folder: Path
    record: records.Record
    state: str
    message: str
    result: Mapping[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by the names of their flags."""
        return flat(self.record.config)

    def figure(self, metric: str) -> float | None:
        """Returns a number of the result, such as `valid.loss`, or None."""
        found: Any = self.result
        for name in metric.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            return None
        return float(found) if abs(found) < HUGE else None


def find(folder: Path) -> tuple[list[Run], dict[Path, str]]:
    """Returns the runs in a folder or below it, by path, and what cannot be read.

    Raises:
        InputError: the folder is none, or has no run.
    """
    if not folder.is_dir():
        raise InputError(
            f"A folder with runs was wanted, and {folder} is none; name one that"
            f" launch.run or launch.sweep has written."
        )
    found, unread = [], {}
    for place in _workdirs(folder):
        try:
            found.append(read(place))
        except InputError as error:
            unread[place] = str(error)
    if not found and not unread:
        raise InputError(
            f"A folder with runs was wanted, and {folder} has no"
            f" {records.CONFIG} of a run; name one that launch.run or launch.sweep has"
            f" written."
        )
    return found, unread


def read(folder: Path) -> Run:
    """Returns the run of a workdir.

    Raises:
        InputError: a file of it is damaged, or of another version of this code.
    """
    record = records.read(folder)
    if record is None:
        raise InputError(f"{folder} should be the workdir of a run, but has no record.")
    result = results.read(folder)
    state, message = _state(folder, result)
    return Run(folder, record, state, message, result)


def done(result: Mapping[str, Any]) -> bool:
    """Returns whether a result is that of a run that came to its end."""
    return "steps" in result


def _state(folder: Path, result: Mapping[str, Any]) -> tuple[str, str]:
    """Returns where a run stands, and why it does not go on."""
    if locked(folder):
        return "running", ""
    # A run that was killed, or stopped by a signal, has no end among these.
    ends = ("pruned", "diverged", "failed")
    known = ("started", "resumed", "finished", *ends)
    told = [event for event in events.read(folder) if event.get("event") in known]
    names = [str(event["event"]) for event in told]
    # A run that was gone on with after its end has the result of that end.
    since = names[::-1].index("finished") if "finished" in names else 0
    if done(result) and "resumed" not in names[len(names) - since :]:
        return "finished", ""
    if names and names[-1] in ends:
        return names[-1], str(told[-1].get("message", ""))
    return "stopped", ""


def locked(folder: Path) -> bool:
    """Returns whether a process writes to the folder now."""
    try:
        descriptor = os.open(folder / ".lock", os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_run(file: Path) -> bool:
    """Returns whether a `config.json` is a run's, or may have been: not a study's."""
    try:
        found = files.read_json(file)
    except InputError:
        return True
    return not isinstance(found, dict) or "experiment" in found


def _workdirs(folder: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """Yields the folders that hold a run; there is none inside of another."""
    file = folder / records.CONFIG
    if file.is_file() and _is_run(file):
        yield folder
    elif depth:
        for place in sorted(folder.iterdir()):
            if place.is_dir() and not place.is_symlink():
                yield from _workdirs(place, depth - 1)
