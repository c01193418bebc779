"""The engines beside each other: time, memory and compiling, over lengths.

What `rnnlab.engines.auto` goes by is measured here.
"""

import functools
import importlib.resources
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from launch.measuring import layer
from launch.measuring.outcome import Measurement, Outcome, measurement
from launch.measuring.turns import Run, in_turns
from rnnlab.cells import CELLS
from rnnlab.engines import Associative, Chunked, Deferred, Engine, Remat, Scan, Unrolled
from rnnlab.engines.auto import FILE, Row, measured, structure, to_json

FEATURES = 128
SECONDS = 0.1  # what each side gets of a turn
PATIENCE = 8.0  # what took longer, in seconds, to compile is not tried at more steps


class Group(NamedTuple):
    """Cells on engines that run them, at several lengths.

    Attributes:
        title: what is compared, in words.
        cells: names in CELLS.
        engines: what runs them; the others are compared with the first.
        batch: B.
        lengths: T, ascending.
        guides: the cell that speaks for its structure in what `auto` goes by, if any.
    """

    title: str
    cells: Sequence[str]
    engines: Sequence[Engine]
    batch: int
    lengths: Sequence[int]
    guides: str | None = None


GROUPS = (
    Group(
        "A cell that splits into product and arithmetic",
        ["lstm"],
        (Scan(), Scan(unroll=4), Unrolled(), Deferred()),
        batch=20,
        lengths=(10, 35, 100, 300, 1000),
        guides="lstm",
    ),
    Group(
        "A cell that does not",
        ["gru_before"],
        (Scan(), Scan(unroll=4), Unrolled()),
        batch=20,
        lengths=(10, 35, 100, 300, 1000),
        guides="gru_before",
    ),
    Group(
        "Memory for time",
        ["lstm"],
        (Scan(), Deferred(), Remat()),
        batch=8,
        lengths=(4096,),
    ),
    Group(
        "Cells that are linear in their state",
        ["mingru", "lru"],
        (Scan(), Associative(), Chunked(16), Chunked(64), Chunked(256)),
        batch=1,  # with 8 rows and 65,536 steps the suite took more than 24 GB
        lengths=tuple(4**k for k in range(3, 9)),
        guides="mingru",
    ),
)


class Result(NamedTuple):
    """What was measured of a step, forward and backward.

    Attributes:
        cell: its name in CELLS.
        length: T.
        engine: what ran it.
        compiling: the seconds that tracing and compiling took.
        memory: bytes beside input, parameters and gradients.
        taken: the seconds of a step, one number a turn.
    """

    cell: str
    length: int
    engine: Engine
    compiling: float
    memory: int
    taken: np.ndarray


def measure(repeats: int, groups: Sequence[Group] = GROUPS) -> Outcome:
    """Returns tables for all groups, and what `auto` goes by on this backend."""
    backend = jax.default_backend()
    rows = [row for row in measured() if row.backend != backend]
    parts, measurements = [], []
    for group in groups:
        results = list(compare(group, repeats))
        parts.append(render(group, results))
        rows += guide(group, results, backend)
        measurements += map(recorded, results)
    text = (
        f"One layer, H = {FEATURES}, float32, forward and backward towards all"
        f" parameters and the input, on each engine. Medians of {repeats} turns;"
        f" compiling, with tracing, once; memory is XLA's figure for temporaries,"
        f" beside input, parameters and gradients. A dash: compiling fewer steps took"
        f" more than {PATIENCE:.0f} s already."
    )
    file = Path(str(importlib.resources.files("rnnlab.engines").joinpath(FILE)))
    table = "\n\n".join([text, *parts])
    return Outcome(table, tuple(measurements), {file: to_json(rows)})


def recorded(result: Result) -> Measurement:
    """Returns the seconds of a step."""
    engine = str(result.engine)
    what = {"cell": result.cell, "T": result.length, "engine": engine}
    return measurement(what, "s", result.taken)


def sides() -> Mapping[str, Callable[[], Run]]:
    """Returns what makes a step ready, by cell, length and engine.

    At the middle length of each group, and without `Unrolled`, which takes a minute to
    compile there.
    """
    found = {}
    for group in GROUPS:
        length = group.lengths[len(group.lengths) // 2]
        for name, engine in itertools.product(group.cells, group.engines):
            if not isinstance(engine, Unrolled):
                cell = CELLS[name](FEATURES)
                found[f"{name}, T = {length:,}, {engine}"] = functools.partial(
                    layer.step, engine, cell, length, group.batch
                )
    return found


def compare(group: Group, repeats: int) -> Iterator[Result]:
    """Yields what each cell takes at each length, the engines in turns."""
    for name in group.cells:
        slow: set[Engine] = set()
        for length in group.lengths:
            cell = CELLS[name](FEATURES)
            arguments = layer.arguments(cell, length, group.batch)
            runs, compiling, memory = {}, {}, {}
            for engine in [e for e in group.engines if e not in slow]:
                start = time.perf_counter()
                step = layer.gradients(layer.on(engine, cell)).lower(*arguments)
                step = step.compile()
                compiling[engine] = time.perf_counter() - start
                memory[engine] = step.memory_analysis().temp_size_in_bytes
                runs[engine] = functools.partial(layer.call, step, arguments)
                if compiling[engine] > PATIENCE and engine != group.engines[0]:
                    slow.add(engine)
            taken = in_turns(runs, repeats, SECONDS)
            for e in runs:
                yield Result(name, length, e, compiling[e], memory[e], taken[e])


def render(group: Group, results: Iterable[Result]) -> str:
    """Returns a group's table, in Markdown."""
    first = group.engines[0]
    lines = [
        f"{group.title}, B = {group.batch}:",
        "",
        f"| cell | T | engine | compile, s | step, ms | of {first} | memory, MB"
        f" | of {first} |",
        "|---|--:|---|--:|--:|--:|--:|--:|",
    ]
    by_key = {(r.cell, r.length, r.engine): r for r in results}
    for name, length, engine in itertools.product(
        group.cells, group.lengths, group.engines
    ):
        line = f"| {name} | {length:,} | {engine} |"
        if (name, length, engine) not in by_key:
            lines.append(f"{line} - | - | - | - | - |")
            continue
        result, base = by_key[name, length, engine], by_key[name, length, first]
        lines.append(
            f"{line} {result.compiling:.2f} | {np.median(result.taken) * 1e3:.2f}"
            f" | {np.median(result.taken / base.taken):.2f}"
            f" | {result.memory / 1e6:.1f} | {result.memory / base.memory:.2f} |"
        )
    return "\n".join(lines)


def guide(group: Group, results: Iterable[Result], backend: str) -> list[Row]:
    """Returns what `auto` goes by: not `Unrolled`, whose compiling grows with T."""
    return [
        Row(
            backend,
            structure(CELLS[result.cell](FEATURES)),
            result.length,
            result.engine,
            float(f"{np.median(result.taken):.3g}"),
        )
        for result in results
        if result.cell == group.guides and not isinstance(result.engine, Unrolled)
    ]
