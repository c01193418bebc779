"""The plain Python loop: what every other engine must equal."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.engines.engine import Carry, at, ready, shape_of


@dataclasses.dataclass(frozen=True)
class Loop:
    """Runs one step after another, as the definition of the result."""

    runs: ClassVar[type[Cell[Any]]] = Cell

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`."""
        params = ready(self, cell, params, carry, x)
        outputs = []
        for t in range(shape_of(x)[0]):
            u_t = cell.project(params, at(x, t))
            carry, y_t = cell.step(params, carry, u_t)
            outputs.append(y_t)
        return carry, jax.tree.map(lambda *leaves: jnp.stack(leaves), *outputs)
