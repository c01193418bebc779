"""Which engine to train a cell on: the one that was fastest where it was measured.

`measured.json` holds the seconds of a step, forward and backward, by backend, by the
structure of the cell, by length and by engine, for one size of one cell of each
structure. `python -m launch.bench --suite=engines --write` writes it.
"""

import functools
import importlib.resources
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax

from rnnlab import engines
from rnnlab.cell import Cell, LinearCell, SplitCell
from rnnlab.engines.deferred import Deferred
from rnnlab.engines.engine import Engine
from rnnlab.engines.scan import Scan

FILE = "measured.json"
GAIN = 0.8  # of the usual engine's time: what one may take at most to be picked for it


class Row(NamedTuple):
    """One measurement.

    Attributes:
        backend: as `jax.default_backend()` names it.
        structure: as `structure` names it.
        length: T.
        engine: what ran the cell.
        seconds: of a step, forward and backward.
    """

    backend: str
    structure: str
    length: int
    engine: Engine
    seconds: float


def auto(
    cell: Cell[Any], length: int | None = None, backend: str | None = None
) -> Engine:
    """Returns the engine on which training `cell` was measured to be fastest.

    By a fifth at least, or else the usual one, which is `Deferred` for a SplitCell and
    `Scan` for others: less is not told from noise, nor does it hold for all cells of a
    structure. Where nothing was measured on the backend, the usual one.

    Args:
        cell: what a step computes; only its structure is looked at.
        length: T; the measured length next to it counts, by ratio. None for any: an
            engine that was fastest at every length, else as if nothing was measured.
        backend: where it will run; None for `jax.default_backend()`.

    Raises:
        ValueError: a length of less than one step.
    """
    if length is not None and length < 1:
        raise ValueError(
            f"auto needs a length of at least 1 step, got {length}; leave it out for"
            f" any."
        )
    kind = structure(cell)
    place = backend or jax.default_backend()
    rows = [row for row in measured() if (row.backend, row.structure) == (place, kind)]
    lengths = {row.length for row in rows}
    if length is not None and rows:
        lengths = {min(lengths, key=lambda known: abs(math.log(known / length)))}
    usual: Engine = Deferred() if kind == "split" else Scan()
    best = {_fastest([row for row in rows if row.length == n], usual) for n in lengths}
    return best.pop() if len(best) == 1 else usual


def _fastest(rows: Sequence[Row], usual: Engine) -> Engine:
    """Returns the fastest engine, or the usual one where the gain may be noise."""
    best = min(rows, key=lambda row: row.seconds)
    known = [row.seconds for row in rows if row.engine == usual]
    return usual if known and best.seconds > GAIN * known[0] else best.engine


def structure(cell: Cell[Any]) -> str:
    """Returns split, linear or plain."""
    if isinstance(cell, SplitCell):
        return "split"
    return "linear" if isinstance(cell, LinearCell) else "plain"


@functools.lru_cache(maxsize=1)
def measured() -> tuple[Row, ...]:
    """Returns the measurements that come with the package."""
    folder = importlib.resources.files("rnnlab.engines")
    return from_json(folder.joinpath(FILE).read_text())


def from_json(text: str) -> tuple[Row, ...]:
    """Returns the rows that `to_json` wrote."""
    return tuple(
        Row(
            row["backend"],
            row["structure"],
            row["length"],
            engines.ENGINES[row["engine"]](**row["knobs"]),
            row["seconds"],
        )
        for row in json.loads(text)
    )


def to_json(rows: Iterable[Row]) -> str:
    """Returns the rows as JSON, one a line; an engine by its name and its knobs."""
    names = {kind: name for name, kind in engines.ENGINES.items()}
    lines = [
        json.dumps(
            row._asdict()
            | {
                "engine": names[type(row.engine)],
                "knobs": vars(row.engine),
            }
        )
        for row in rows
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"
