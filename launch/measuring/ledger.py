"""The history of the benchmarks: a line of JSON for each table that was written."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from launch.measuring import machine
from launch.measuring.outcome import Measurement, Outcome
from rnnlab import files
from rnnlab.errors import InputError


class Entry(NamedTuple):
    """One table, as JSON data.

    Attributes:
        suite: of `launch.bench`.
        commit: the code that was measured.
        device: processor, cores, JAX's backend.
        versions: of Python and of libraries, by name.
        date: in ISO 8601.
        repeats: the turns, or processes, that medians and quartiles are of.
        others: the share of all cores that other processes had meanwhile; None where
            the system does not tell.
        measurements: the numbers.
    """

    suite: str
    commit: str
    device: str
    versions: dict[str, str]
    date: str
    repeats: int
    others: float | None
    measurements: Sequence[Measurement]


def entry(suite: str, repeats: int, others: float, outcome: Outcome) -> Entry:
    """Returns the line of what was measured here and now."""
    share = None if math.isnan(others) else round(others, 3)
    return Entry(suite, *machine.facts(), repeats, share, outcome.measurements)


def append(path: Path, new: Entry) -> None:
    """Adds a line; one that was torn before it is cut off.

    Raises:
        InputError: the file is a link, or cannot be read.
        StorageError: it cannot be written.
    """
    files.cut_torn(path)
    measurements = [each._asdict() for each in new.measurements]
    files.append_json(path, {**new._asdict(), "measurements": measurements})


def read(path: Path) -> list[Entry]:
    """Returns all whole lines, oldest first.

    Raises:
        InputError: the file is missing, or a line is not what `append` writes.
    """
    try:
        lines = files.read(path).decode().split("\n")[:-1]
        return [_parsed(json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} should hold lines of launch.bench --write, but {error}; restore"
            f" it from git."
        ) from error


def newest(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Returns the last entry of each suite, of a history that is oldest first."""
    return {each.suite: each for each in entries}


def _parsed(line: dict[str, Any]) -> Entry:
    """Returns a line as an entry."""
    measurements = [Measurement(**each) for each in line["measurements"]]
    return Entry(**{**line, "measurements": measurements})
