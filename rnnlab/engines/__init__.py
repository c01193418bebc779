"""The engines: how a cell is executed over time. All give the same numbers."""

from collections.abc import Callable, Mapping

from rnnlab.engines.deferred import Deferred
from rnnlab.engines.engine import Engine
from rnnlab.engines.loop import Loop
from rnnlab.engines.scan import Scan

ENGINES: Mapping[str, Callable[..., Engine]] = {
    "deferred": Deferred,
    "loop": Loop,
    "scan": Scan,
}

__all__ = ["ENGINES", "Deferred", "Engine", "Loop", "Scan"]
