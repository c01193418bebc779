"""The engines: how a cell is executed over time. All give the same numbers."""

from collections.abc import Mapping
from typing import Any

from rnnlab.cell import Cell, SplitCell
from rnnlab.engines.associative import Associative
from rnnlab.engines.chunked import Chunked
from rnnlab.engines.deferred import Deferred
from rnnlab.engines.engine import Engine
from rnnlab.engines.loop import Loop
from rnnlab.engines.newton import Newton
from rnnlab.engines.remat import Remat
from rnnlab.engines.scan import Scan
from rnnlab.engines.unrolled import Unrolled

ENGINES: Mapping[str, type[Engine]] = {
    "associative": Associative,
    "chunked": Chunked,
    "deferred": Deferred,
    "loop": Loop,
    "newton": Newton,
    "remat": Remat,
    "scan": Scan,
    "unrolled": Unrolled,
}


def auto(cell: Cell[Any]) -> Engine:
    """Returns the fastest engine for training `cell`: `Deferred` where it can run."""
    return Deferred() if isinstance(cell, SplitCell) else Scan()


__all__ = [
    "ENGINES",
    "Associative",
    "Chunked",
    "Deferred",
    "Engine",
    "Loop",
    "Newton",
    "Remat",
    "Scan",
    "Unrolled",
    "auto",
]
