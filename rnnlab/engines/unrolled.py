"""All steps laid out one after another: no loop is left in the compiled program."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.engines.engine import Carry, at, project, ready, shape_of


@dataclasses.dataclass(frozen=True)
class Unrolled:
    """Runs any cell, under every transformation of JAX; slow to compile for long T.

    What unrolling by hand, or by a Python loop under `jit`, gives; the input is
    projected for all steps in one product before.
    """

    runs: ClassVar[type[Cell[Any]]] = Cell

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`."""
        params = ready(self, cell, params, carry, x)
        u = project(cell, params, carry, x)
        outputs = []
        for t in range(shape_of(x)[0]):
            carry, y_t = cell.step(params, carry, at(u, t))
            outputs.append(y_t)
        return carry, jax.tree.map(lambda *leaves: jnp.stack(leaves), *outputs)
