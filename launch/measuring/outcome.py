"""What a suite of `launch.bench` hands back."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

DIGITS = 4  # that are kept of a number: no clock here knows more


class Measurement(NamedTuple):
    """A number of a table, as JSON data.

    Attributes:
        what: what was measured, by settings: {"cell": "lstm", "code": "flax"}.
        unit: s, B, or what it is a multiple of.
        median: over turns.
        low: the lower quartile.
        high: the upper quartile.
    """

    what: Mapping[str, str | int]
    unit: str
    median: float
    low: float
    high: float


class Outcome(NamedTuple):
    """Measurements, for a reader, for the history and for the library.

    Attributes:
        table: what stands in BENCHMARKS.md, in Markdown.
        measurements: what it is made of, for the history.
        files: what `--write` replaces beside it, by path.
    """

    table: str
    measurements: tuple[Measurement, ...] = ()
    files: Mapping[Path, str] = {}


def measurement(what: Mapping[str, str | int], unit: str, values: Any) -> Measurement:
    """Returns median and quartiles of `values`, which may be a single number."""
    low, median, high = (
        float(f"{number:.{DIGITS}g}")
        for number in np.quantile(values, (0.25, 0.5, 0.75))
    )
    return Measurement(what, unit, median, low, high)


def beside_rnnlab(
    what: Mapping[str, str | int], taken: Mapping[str, np.ndarray]
) -> Iterator[Measurement]:
    """Yields the seconds of each code, and these as multiples of rnnlab's.

    Args:
        what: the settings that the codes share.
        taken: seconds, one number a turn, by code.
    """
    for pair in beside("rnnlab", what, "code", taken):
        yield from pair


def beside(
    base: str, what: Mapping[str, str | int], key: str, taken: Mapping[str, np.ndarray]
) -> Iterator[tuple[Measurement, Measurement]]:
    """Yields for each side its seconds, and these as multiples of the base's.

    Args:
        base: one of the sides.
        what: the settings that the sides share.
        key: the setting that tells them apart.
        taken: seconds, one number a turn, by side.
    """
    for name, seconds in taken.items():
        named = {**what, key: name}
        times = measurement(named, f"times {base}", seconds / taken[base])
        yield measurement(named, "s", seconds), times
