"""Newton's method over time beside a scan: iterations and time, over lengths."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from launch import machine
from launch.bench_engines import call
from launch.bench_layers import gradients
from launch.outcome import Outcome
from launch.turns import in_turns
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
    others = machine.others_share()
    rows = []
    for case in cases:
        for length in case.lengths:
            rows += compare(case, length, repeats)
    lines = [
        f"One layer with its first parameters, on normal input, float32: the iterations"
        f" that find all states at once (of at most T), and the time of forward and"
        f" backward towards all parameters and the input, beside `Scan()`. A star: not"
        f" converged, a scan was run instead. Medians of {repeats} turns. Other"
        f" processes had {others():.0%} of the cores meanwhile.",
        "",
        "| cell | H | B | T | engine | iterations | step, ms | of Scan() |",
        "|---|--:|--:|--:|---|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines))


def compare(case: Case, length: int, repeats: int) -> list[str]:
    """Returns a row for the scan and for each method at one length."""
    cell = CELLS[case.cell](case.features)
    carry = cell.initial((case.batch,))
    shape = (2, length, case.batch, case.features)
    x, w = np.random.default_rng(0).standard_normal(shape, np.float32)
    params = cell.init(jax.random.key(0), case.features)
    arguments = jax.device_put((params, x, w))
    runs, iterations = {}, {}
    for engine in (Scan(), *ENGINES):

        def apply(params, x, engine=engine):
            return engine(cell, params, carry, x)[1]

        step = gradients(apply).lower(*arguments).compile()
        runs[engine] = functools.partial(call, step, arguments)
        iterations[engine] = "-"
        if isinstance(engine, Newton):
            solve = jax.jit(functools.partial(engine.solve, cell))
            _, _, report = solve(params, carry, x)
            iterations[engine] = f"{report.iterations}{'*' * (not report.converged)}"
    taken = in_turns(runs, repeats, SECONDS)
    return [
        f"| {case.cell} | {case.features} | {case.batch} | {length:,}"
        f" | {getattr(engine, 'method', engine)} | {iterations[engine]}"
        f" | {np.median(seconds) * 1e3:.2f}"
        f" | {np.median(seconds / taken[Scan()]):.2f} |"
        for engine, seconds in taken.items()
    ]
