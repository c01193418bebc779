"""What the page's charts draw: every run's rows, thinned to what a screen can show.

Of 10,000 rows a line of 400 points is left: the least and the greatest value of each of
200 stretches, so that no spike is lost, and no point that is not the run's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from launch.groups import SEED
from launch.parts.subject import Subject
from launch.runs import Run
from rnnlab.errors import InputError
from rnnlab.training.writers import METRICS, read_metrics

TITLES = {
    "loss": "training loss",
    "valid_loss": "validation loss",
    "grad_norm": "norm of the gradient",
    "learning_rate": "learning rate",
}
POINTS = 150_000  # on the page, about: they are most of its bytes
FEWEST, MOST = 24, 400  # points of a line
NAMES = 120  # figures that can be chosen
LARGEST = float(np.finfo(np.float32).max)

Rows = Mapping[str, tuple[np.ndarray, np.ndarray]]  # steps and values by figure


class Line(NamedTuple):
    """A line of a chart.

    Attributes:
        group: the place of its configuration.
        label: which of the configuration's lines it is.
        middle: whether it is the median of several runs.
        steps: int [N], ascending.
        values: [N]; NaN where there is none.
    """

    group: int
    label: str
    middle: bool
    steps: np.ndarray
    values: np.ndarray


def collect(subject: Subject) -> tuple[dict[str, list[Line]], dict[str, str]]:
    """Returns the lines by figure, and why some runs have none, by folder."""
    lines: dict[str, list[Line]] = {name: [] for name in TITLES}
    unread = {}
    for place, group in enumerate(subject.groups):
        every = []
        for run in group.runs:
            try:
                every.append((run, rows(run)))
            except InputError as error:
                unread[subject.place(run.folder)] = str(error)
        for name in dict.fromkeys(name for _, found in every for name in found):
            if name in lines or len(lines) < NAMES:
                have = [(run, found[name]) for run, found in every if name in found]
                lines.setdefault(name, []).extend(_lines(place, have))
    return {name: found for name, found in lines.items() if found}, unread


def rows(run: Run) -> Rows:
    """Returns what a run has written, not finite as NaN; {} where that is nothing yet.

    Raises:
        InputError: its metrics cannot be read.
    """
    file = run.folder / METRICS
    if not file.exists():
        return {}
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row in read_metrics(file):
        for name, value in row.items():
            if name != "step":
                steps, values = found.setdefault(name, ([], []))
                steps.append(row["step"])
                values.append(value)
    return {name: _arrays(*pair) for name, pair in found.items()}


def thin(
    steps: np.ndarray, values: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns about `most` points of a line, its ends, peaks and gaps among them."""
    inner = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
    kept = np.concatenate([[True], ~inner, [True]])[: len(values)]  # not of level parts
    steps, values = steps[kept], values[kept]
    count = len(values)
    if count <= most:
        return steps, values
    size = -(-count // (most // 2))
    whole = -(-count // size) * size
    parts = np.pad(values, (0, whole - count), mode="edge").reshape(-1, size)
    missing = np.isnan(parts)
    lowest = np.where(missing, np.inf, parts).argmin(1)
    highest = np.where(missing, -np.inf, parts).argmax(1)
    inside = np.concatenate([lowest, highest, missing.argmax(1)[missing.any(1)]])
    starts = np.arange(len(parts)) * size
    starts = np.concatenate([starts, starts, starts[missing.any(1)]])
    places = np.unique(np.minimum(starts + inside, count - 1))
    places = np.unique(np.concatenate([[0], places, [count - 1]]))
    return steps[places], values[places]


def chart(
    lines: Mapping[str, Sequence[Line]], most: int, across: str
) -> dict[str, Any]:
    """Returns figures as the script takes them, about `most` points a line at most.

    Steps are written as differences, and values with five digits; `across` says what
    they are.
    """
    return {
        "across": across,
        "figures": [
            {
                "name": TITLES.get(name, name),
                "lines": [_short(line, most) for line in found],
            }
            for name, found in lines.items()
        ],
    }


def seed(run: Run) -> str:
    """Returns what tells a run from others of its configuration."""
    return f"seed {run.settings.get(SEED)}"


def budget(lines: Mapping[str, Sequence[Line]]) -> int:
    """Returns how many points a line may have, for a page that is quick to open."""
    count = sum(len(found) for found in lines.values())
    return min(MOST, max(FEWEST, POINTS // max(1, count)))


def _arrays(steps: Sequence[float], values: Sequence[float]):
    at, found = np.array(steps, np.int64), np.array(values, np.float64)
    found[~(np.abs(found) <= LARGEST)] = np.nan
    order = np.argsort(at, kind="stable")
    return at[order], found[order]


def _lines(
    place: int, have: Sequence[tuple[Run, tuple[np.ndarray, np.ndarray]]]
) -> list[Line]:
    """Returns the lines of one configuration: each run's, then their median.

    That stands where half of the runs, and two at least, have a number.
    """
    found = [Line(place, seed(run), False, *pair) for run, pair in have]
    if len(have) < 2:
        return found
    steps = np.unique(np.concatenate([pair[0] for _, pair in have]))
    every = np.full((len(have), len(steps)), np.nan)
    for row, (_, (own, values)) in zip(every, have, strict=True):
        row[np.searchsorted(steps, own)] = values
    enough = np.isfinite(every).sum(0) >= max(2, len(have) / 2)
    if not enough.any():
        return found
    middle = np.nanmedian(every[:, enough], axis=0)
    label = f"median of {len(have)}"
    return [*found, Line(place, label, True, steps[enough], middle)]


def _short(line: Line, most: int) -> list[Any]:
    steps, values = thin(line.steps, line.values, most)
    return [
        line.group,
        line.label,
        int(line.middle),
        np.diff(steps, prepend=0).tolist(),
        [None if v != v else float(f"{v:.5g}") for v in values.tolist()],
    ]
