"""The engines: how a cell is executed over time. All give the same numbers."""

from collections.abc import Mapping

from rnnlab.engines import cudnn
from rnnlab.engines.associative import Associative
from rnnlab.engines.auto import auto
from rnnlab.engines.chunked import Chunked
from rnnlab.engines.cudnn import Cudnn
from rnnlab.engines.deferred import Deferred
from rnnlab.engines.engine import Engine
from rnnlab.engines.log_space import LogSpace
from rnnlab.engines.loop import Loop
from rnnlab.engines.newton import Newton
from rnnlab.engines.remat import Remat
from rnnlab.engines.scan import Scan
from rnnlab.engines.unrolled import Unrolled

ENGINES: Mapping[str, type[Engine]] = {
    "associative": Associative,
    "chunked": Chunked,
    "cudnn": Cudnn,
    "deferred": Deferred,
    "log_space": LogSpace,
    "loop": Loop,
    "newton": Newton,
    "remat": Remat,
    "scan": Scan,
    "unrolled": Unrolled,
}


def here() -> Mapping[str, type[Engine]]:
    """Returns the engines that what JAX computes on can run, by name."""
    return {k: v for k, v in ENGINES.items() if v is not Cudnn or cudnn.available()}


__all__ = [
    "ENGINES",
    "Associative",
    "Chunked",
    "Cudnn",
    "Deferred",
    "Engine",
    "LogSpace",
    "Loop",
    "Newton",
    "Remat",
    "Scan",
    "Unrolled",
    "auto",
    "here",
]
