"""A loop in the compiled program beside steps laid out: up to what length it pays."""

import functools
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from launch.measuring import layer
from launch.measuring.outcome import Outcome, measurement
from launch.measuring.turns import Run, in_turns
from rnnlab.cell import SplitCell
from rnnlab.cells import CELLS
from rnnlab.engines import Deferred, Engine, Scan, Unrolled

FEATURES, BATCH = 128, 20
SECONDS = 0.1  # what each side gets of a turn
KINDS = ("elman", "lstm", "gru_before")
LENGTHS = (4, 8, 16, 32)
ENGINES = (Scan(), Scan(unroll=4), Scan(unroll=8), Unrolled(), Deferred())
# What is compiled: a function of how y comes from params and x.
PASSES: Mapping[str, Callable[[Any], Any]] = {
    "forward": layer.outputs,
    "with gradient": layer.gradients,
}


class Result(NamedTuple):
    """What was measured of an engine.

    Attributes:
        cell: its name in CELLS.
        passes: a name in PASSES.
        length: T.
        engine: what ran it.
        compiling: the seconds that tracing and compiling took.
        taken: the seconds of a call, one number a turn.
        ratios: these as multiples of Scan's in the same turn.
    """

    cell: str
    passes: str
    length: int
    engine: Engine
    compiling: float
    taken: np.ndarray
    ratios: np.ndarray


def measure(
    repeats: int, cells: Sequence[str] = KINDS, lengths: Sequence[int] = LENGTHS
) -> Outcome:
    """Returns seconds of compiling and of a call, and up to where unrolling pays."""
    results = [
        result
        for cell, passes, length in itertools.product(cells, PASSES, lengths)
        for result in compare(cell, passes, length, repeats)
    ]
    lines = [
        f"One layer, H = {FEATURES}, B = {BATCH}, float32: `Unrolled` lays out all T"
        f" steps, as a Python loop under `jit` does, `Scan` compiles `unroll` of them."
        f" With gradient: towards all parameters and the input. Compiling, with"
        f" tracing, once; medians and quartiles of {repeats} turns.",
        "",
        *verdicts(results),
        "",
        "| cell | pass | T | engine | compile, s | call, ms | of Scan() | quartiles |",
        "|---|---|--:|---|--:|--:|--:|--:|",
        *map(row, results),
    ]
    return Outcome("\n".join(lines), tuple(itertools.chain(*map(recorded, results))))


def compare(cell: str, passes: str, length: int, repeats: int) -> Iterator[Result]:
    """Yields what each engine that runs the cell takes."""
    kind = CELLS[cell](FEATURES)
    given = layer.arguments(kind, length, BATCH)
    runs, compiling = {}, {}
    for engine in engines(cell):
        start = time.perf_counter()
        step = PASSES[passes](layer.on(engine, kind)).lower(*given).compile()
        compiling[engine] = time.perf_counter() - start
        runs[engine] = functools.partial(layer.call, step, given)
    taken = in_turns(runs, repeats, SECONDS)
    for engine, seconds in taken.items():
        ratios = seconds / taken[Scan()]
        yield Result(cell, passes, length, engine, compiling[engine], seconds, ratios)


def engines(cell: str) -> list[Engine]:
    """Returns those that run the cell, `Scan()` first."""
    split = isinstance(CELLS[cell](FEATURES), SplitCell)
    return [engine for engine in ENGINES if split or engine != Deferred()]


def row(result: Result) -> str:
    """Returns a line of the table."""
    low, middle, high = np.quantile(result.ratios, (0.25, 0.5, 0.75))
    return (
        f"| {result.cell} | {result.passes} | {result.length} | {result.engine}"
        f" | {result.compiling:.2f} | {np.median(result.taken) * 1e3:.2f}"
        f" | {middle:.2f} | {low:.2f} to {high:.2f} |"
    )


def recorded(result: Result) -> list[Any]:
    """Returns a result's measurements: a call, in Scan's, and compiling."""
    what = {
        "cell": result.cell,
        "pass": result.passes,
        "T": result.length,
        "engine": str(result.engine),
    }
    return [
        measurement(what, "s", result.taken),
        measurement(what, "times Scan", result.ratios),
        measurement({**what, "of": "compiling"}, "s", result.compiling),
    ]


def verdicts(results: Sequence[Result]) -> list[str]:
    """Returns a line for each cell and pass: up to which length unrolling pays."""
    by_case = itertools.groupby(results, key=lambda each: (each.cell, each.passes))
    return [f"- {', '.join(case)}: {verdict(list(each))}." for case, each in by_case]


def verdict(results: Sequence[Result]) -> str:
    """Returns up to which length `Unrolled` is faster than `Scan()`, and at what price.

    Faster is what is so in three turns of four.

    Args:
        results: of one cell and pass, lengths ascending.
    """
    scan, unrolled = (
        [result for result in results if result.engine == engine]
        for engine in (Scan(), Unrolled())
    )
    paying = [k for k, r in enumerate(unrolled) if np.quantile(r.ratios, 0.75) < 1]
    if not paying:
        return "unrolling pays at no length"
    last = paying[-1]
    gain = np.median(scan[last].taken - unrolled[last].taken)
    price = unrolled[last].compiling - scan[last].compiling
    more = [result.length for result in unrolled[last + 1 :]]
    return (
        f"unrolling pays up to T = {unrolled[last].length},"
        f" {f'no more at {more[0]}' if more else 'the longest'}; there it compiles"
        f" {price:.1f} s longer, which {price / gain:,.0f} calls win back"
    )


def sides() -> Mapping[str, Callable[[], Run]]:
    """Returns what makes a step with gradient ready, by cell, length and engine."""
    return {
        f"{cell}, T = {length}, {engine}": functools.partial(
            layer.step, engine, CELLS[cell](FEATURES), length, BATCH
        )
        for cell in KINDS
        for length in LENGTHS[:2]
        for engine in engines(cell)
    }
