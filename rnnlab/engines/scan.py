"""One compiled step, repeated by `jax.lax.scan`."""

import dataclasses
from typing import Any, ClassVar

import jax

from rnnlab.cell import Cell, Params
from rnnlab.engines.engine import Carry, check, project


@dataclasses.dataclass(frozen=True)
class Scan:
    """Runs any cell, under every transformation of JAX.

    The input is projected for all steps in one product before the loop.

    Attributes:
        unroll: steps laid out in one turn of the loop; longer to compile.
    """

    runs: ClassVar[type[Cell[Any]]] = Cell

    unroll: int = 1

    def __post_init__(self):
        if self.unroll < 1:
            raise ValueError(
                f"Scan needs unroll of at least 1, got {self.unroll}; leave it out."
            )

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`."""
        check(self, cell, params, carry, x)
        u = project(cell, params, carry, x)
        return jax.lax.scan(
            lambda carry, u_t: cell.step(params, carry, u_t),
            carry,
            u,
            unroll=self.unroll,
        )
