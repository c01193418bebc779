"""The engines: how a cell is executed over time. All give the same numbers."""

from collections.abc import Callable, Mapping
from typing import Any

from rnnlab.cell import Cell, SplitCell
from rnnlab.engines.deferred import Deferred
from rnnlab.engines.engine import Engine
from rnnlab.engines.loop import Loop
from rnnlab.engines.scan import Scan

ENGINES: Mapping[str, Callable[..., Engine]] = {
    "deferred": Deferred,
    "loop": Loop,
    "scan": Scan,
}


def auto(cell: Cell[Any]) -> Engine:
    """Returns the fastest engine for training `cell`: `Deferred` where it can run."""
    return Deferred() if isinstance(cell, SplitCell) else Scan()


__all__ = ["ENGINES", "Deferred", "Engine", "Loop", "Scan", "auto"]
