"""One compiled step, repeated by `jax.lax.scan`."""

import dataclasses
from typing import Any, ClassVar

import jax

from rnnlab.cell import Cell, LinearCell, Params
from rnnlab.engines.engine import Carry, project, ready


@dataclasses.dataclass(frozen=True)
class Scan:
    """Runs any cell, under every transformation of JAX.

    The input is projected for all steps in one product before the loop; of a
    LinearCell, the outputs are read in one after it.

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
        params = ready(self, cell, params, carry, x)
        u = project(cell, params, carry, x)
        if isinstance(cell, LinearCell):
            return _linear(cell, params, carry, u, self.unroll)
        return jax.lax.scan(
            lambda carry, u_t: cell.step(params, carry, u_t),
            carry,
            u,
            unroll=self.unroll,
        )


def _linear(cell: LinearCell, params: Params, h: Any, u: Any, unroll: int) -> Any:
    """Returns the same; only h -> a h + b is in the loop, not what makes a, b and y."""

    def step(h, coefficients):
        a, b = coefficients
        h = a * h + b
        return h, h

    last, h = jax.lax.scan(step, h, cell.coefficients(params, u), unroll=unroll)
    return last, cell.readout(params, h, u)
