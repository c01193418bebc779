"""The engines: how a cell is executed over time. All give the same numbers."""

from collections.abc import Mapping

from rnnlab.engines.associative import Associative
from rnnlab.engines.auto import auto
from rnnlab.engines.chunked import Chunked
from rnnlab.engines.deferred import Deferred
from rnnlab.engines.engine import Engine
from rnnlab.engines.loop import Loop
from rnnlab.engines.remat import Remat
from rnnlab.engines.scan import Scan
from rnnlab.engines.unrolled import Unrolled

ENGINES: Mapping[str, type[Engine]] = {
    "associative": Associative,
    "chunked": Chunked,
    "deferred": Deferred,
    "loop": Loop,
    "remat": Remat,
    "scan": Scan,
    "unrolled": Unrolled,
}

__all__ = [
    "ENGINES",
    "Associative",
    "Chunked",
    "Deferred",
    "Engine",
    "Loop",
    "Remat",
    "Scan",
    "Unrolled",
    "auto",
]
