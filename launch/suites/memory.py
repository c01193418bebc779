"""The memory that a training step needs on each engine, over lengths."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from launch.measuring.outcome import Measurement, Outcome, measurement
from launch.measuring.weigh import Step, Weight, weigh
from rnnlab.engines import (
    ENGINES,
    Associative,
    Chunked,
    Deferred,
    Engine,
    Remat,
    Scan,
)

FEATURES = 128
LENGTHS = (64, 512, 4096)
NAMES = {kind: name for name, kind in ENGINES.items()}


class Group(NamedTuple):
    """A cell on engines that run it; they are compared with the first.

    Attributes:
        cell: its name in CELLS.
        batch: B.
        engines: what runs it.
    """

    cell: str
    batch: int
    engines: Sequence[Engine]


GROUPS = (
    Group("lstm", 20, (Scan(), Deferred(), Remat(), Remat(chunk=16))),
    Group("gru_before", 20, (Scan(), Remat(), Remat(chunk=16))),
    Group("mingru", 1, (Scan(), Remat(), Chunked(64), Associative())),
)


def measure(
    repeats: int, groups: Sequence[Group] = GROUPS, lengths: Sequence[int] = LENGTHS
) -> Outcome:
    """Returns bytes, which are counted: `repeats` would change nothing."""
    rows, measurements = [], []
    for group, length in itertools.product(groups, lengths):
        weights = {engine: ask(group, engine, length) for engine in group.engines}
        rows += render(group, length, weights)
        measurements += recorded(group, length, weights)
    lines = [
        f"Megabytes of a step of one layer, H = {FEATURES}, float32, forward and"
        f" backward towards all parameters and the input: temporaries, beside"
        f" parameters, input and gradients, by XLA's account; and what a fresh process"
        f" grew by, at most, in its first step, gradients included, by Linux's."
        f" Read once: XLA's account does not vary, Linux's by a tenth.",
        "",
        "| cell | B | T | engine | temporaries | of the first | a process grew by |",
        "|---|--:|--:|---|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def ask(group: Group, engine: Engine, length: int) -> Weight:
    """Returns what a step needs."""
    knobs, name = vars(engine), NAMES[type(engine)]
    return weigh(Step(group.cell, FEATURES, group.batch, length, name, knobs))


def render(group: Group, length: int, weights: dict[Engine, Weight]) -> Iterator[str]:
    """Yields a row of the table for each engine."""
    first = weights[group.engines[0]].temporaries
    for engine, (temporaries, growth) in weights.items():
        grown = "-" if growth is None else f"{growth / 1e6:.1f}"
        yield (
            f"| {group.cell} | {group.batch} | {length:,} | {engine}"
            f" | {temporaries / 1e6:.1f} | {temporaries / first:.2f} | {grown} |"
        )


def recorded(
    group: Group, length: int, weights: dict[Engine, Weight]
) -> Iterator[Measurement]:
    """Yields each number of each engine, in bytes."""
    shape = {"cell": group.cell, "B": group.batch, "T": length}
    for engine, weight in weights.items():
        for name, count in weight._asdict().items():
            if count is not None:
                what = {**shape, "engine": str(engine), "of": name}
                yield measurement(what, "B", count)
