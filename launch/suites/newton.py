"""Newton's method over time beside a scan: iterations and time, over lengths."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from launch.measuring import layer
from launch.measuring.outcome import Measurement, Outcome, measurement
from launch.measuring.turns import in_turns
from rnnlab.cells import CELLS
from rnnlab.engines import Newton, Scan

SECONDS = 0.1  # what each side gets of a turn
ENGINES = (Newton("deer"), Newton("quasi"), Newton("elk"))


class Case(NamedTuple):
    """A layer as wide as its input, at several lengths, in the letters of a cell."""

    cell: str
    features: int
    batch: int
    lengths: Sequence[int]


CASES = (
    Case("gru", features=16, batch=4, lengths=(64, 256, 1024)),
    Case("lstm", features=16, batch=4, lengths=(64, 256, 1024)),
)


def measure(repeats: int, cases: Sequence[Case] = CASES) -> Outcome:
    """Returns iterations, and the time of a step as a multiple of the scan's."""
    rows, measurements = [], []
    for case in cases:
        for length in case.lengths:
            more_rows, more = compare(case, length, repeats)
            rows += more_rows
            measurements += more
    lines = [
        f"One layer with its first parameters, on normal input, float32: the iterations"
        f" that find all states at once (of at most T), and the time of forward and"
        f" backward towards all parameters and the input, beside `Scan()`. A star: not"
        f" converged, a scan was run instead. Medians of {repeats} turns.",
        "",
        "| cell | H | B | T | engine | iterations | step, ms | of Scan() |",
        "|---|--:|--:|--:|---|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def compare(
    case: Case, length: int, repeats: int
) -> tuple[list[str], list[Measurement]]:
    """Returns a row for the scan and for each method at one length, and as data."""
    cell = CELLS[case.cell](case.features)
    carry = cell.initial((case.batch,))
    params, x, _ = layer.arguments(cell, length, case.batch)
    runs, iterations = {}, {}
    for engine in (Scan(), *ENGINES):
        runs[engine] = layer.step(engine, cell, length, case.batch)
        iterations[engine] = "-"
        if isinstance(engine, Newton):
            solve = jax.jit(functools.partial(engine.solve, cell))
            _, _, report = solve(params, carry, x)
            iterations[engine] = f"{report.iterations}{'*' * (not report.converged)}"
    taken = in_turns(runs, repeats, SECONDS)
    measurements = [
        measurement(
            {
                "cell": case.cell,
                "H": case.features,
                "B": case.batch,
                "T": length,
                "engine": str(engine),
            },
            "s",
            seconds,
        )
        for engine, seconds in taken.items()
    ]
    rows = [
        f"| {case.cell} | {case.features} | {case.batch} | {length:,}"
        f" | {getattr(engine, 'method', engine)} | {iterations[engine]}"
        f" | {np.median(seconds) * 1e3:.2f}"
        f" | {np.median(seconds / taken[Scan()]):.2f} |"
        for engine, seconds in taken.items()
    ]
    return rows, measurements
