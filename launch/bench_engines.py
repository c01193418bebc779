"""The engines beside each other: time, memory and compiling, over lengths.

What `rnnlab.engines.auto` goes by is measured here.
"""

import importlib.resources
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from launch import machine
from launch.bench_layers import gradients
from launch.outcome import Outcome
from launch.turns import in_turns
from rnnlab.cell import Cell
from rnnlab.cells import CELLS
from rnnlab.engines import Associative, Chunked, Deferred, Engine, Remat, Scan, Unrolled
from rnnlab.engines.auto import FILE, Row, measured, structure, to_json

FEATURES = 128
SECONDS = 0.2  # what each side gets of a turn
PATIENCE = 20.0  # what took longer, in seconds, to compile is not tried at more steps


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


LINEAR = [name for name in ("mingru", "lru") if name in CELLS]
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
        LINEAR,
        (Scan(), Associative(), Chunked(16), Chunked(64), Chunked(256)),
        batch=8,
        lengths=tuple(4**k for k in range(3, 9)),
        guides="mingru",
    ),
)


class Program(NamedTuple):
    """A compiled step, forward and backward.

    Attributes:
        compiling: the seconds that tracing and compiling took.
        memory: bytes beside input, parameters and gradients.
        run: executes it.
    """

    compiling: float
    memory: int
    run: Callable[[], object]


class Result(NamedTuple):
    """What was measured of one cell at one length, by engine.

    Attributes:
        cell: its name in CELLS.
        length: T.
        programs: what was compiled; an engine that would take too long is not there.
        taken: the seconds of a step, one number a turn.
    """

    cell: str
    length: int
    programs: dict[Engine, Program]
    taken: dict[Engine, np.ndarray]


def measure(repeats: int, groups: Sequence[Group] = GROUPS) -> Outcome:
    """Returns tables for all groups, and what `auto` goes by on this backend."""
    others = machine.others_share()
    backend = jax.default_backend()
    rows = [row for row in measured() if row.backend != backend]
    parts = []
    for group in groups:
        results = list(compare(group, repeats))
        parts.append(render(group, results))
        rows += guide(group, results, backend)
    text = (
        f"One layer, H = {FEATURES}, float32, forward and backward towards all"
        f" parameters and the input, on each engine. Medians of {repeats} turns;"
        f" compiling, with tracing, once; memory is XLA's figure for temporaries,"
        f" beside input, parameters and gradients. A dash: compiling fewer steps took"
        f" more than {PATIENCE:.0f} s already. Other processes had {others():.0%} of"
        f" the cores meanwhile."
    )
    file = Path(str(importlib.resources.files("rnnlab.engines").joinpath(FILE)))
    return Outcome("\n\n".join([text, *parts]), {file: to_json(rows)})


def compare(group: Group, repeats: int) -> Iterator[Result]:
    """Yields what each cell takes at each length, the engines in turns."""
    for name in group.cells:
        cell = CELLS[name](FEATURES)
        slow = set()
        for length in group.lengths:
            shape = (2, length, group.batch, FEATURES)
            x, w = jax.device_put(
                tuple(np.random.default_rng(0).standard_normal(shape, np.float32))
            )
            programs = {
                engine: program(engine, cell, x, w)
                for engine in group.engines
                if engine not in slow
            }
            slow |= {e for e, made in programs.items() if made.compiling > PATIENCE}
            runs = {engine: made.run for engine, made in programs.items()}
            yield Result(name, length, programs, in_turns(runs, repeats, SECONDS))


def program(engine: Engine, cell: Cell, x: jax.Array, w: jax.Array) -> Program:
    """Compiles the gradients of sum(y * w); x and w are [T, B, H]."""
    arguments = cell.init(jax.random.key(0), FEATURES), x, w

    def apply(params, x):
        return engine(cell, params, cell.initial(x.shape[1:-1]), x)[1]

    start = time.perf_counter()
    compiled = gradients(apply).lower(*arguments).compile()
    return Program(
        time.perf_counter() - start,
        compiled.memory_analysis().temp_size_in_bytes,
        lambda: jax.block_until_ready(compiled(*arguments)),
    )


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
    for result in results:
        for engine in group.engines:
            line = f"| {result.cell} | {result.length:,} | {engine} |"
            if engine not in result.programs:
                lines.append(f"{line} - | - | - | - | - |")
                continue
            made, base = result.programs[engine], result.programs[first]
            taken = result.taken[engine]
            lines.append(
                f"{line} {made.compiling:.2f} | {np.median(taken) * 1e3:.2f}"
                f" | {np.median(taken / result.taken[first]):.2f}"
                f" | {made.memory / 1e6:.1f} | {made.memory / base.memory:.2f} |"
            )
    return "\n".join(lines)


def guide(group: Group, results: Iterable[Result], backend: str) -> list[Row]:
    """Returns what `auto` goes by."""
    return [
        Row(
            backend,
            structure(CELLS[result.cell](FEATURES)),
            result.length,
            engine,
            float(f"{np.median(taken):.3g}"),
        )
        for result in results
        if result.cell == group.guides
        for engine, taken in result.taken.items()
    ]
