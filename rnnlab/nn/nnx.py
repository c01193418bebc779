"""The same layer for flax.nnx: a module that holds its parameters."""

from typing import Any

import jax
from flax import nnx

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan


class Recurrent(nnx.Module):
    """A cell with its parameters, executed over time by an engine."""

    def __init__(
        self,
        cell: Cell[Any],
        in_features: int,
        *,
        rngs: nnx.Rngs,
        engine: Engine = Scan(),
    ):
        self.cell = cell
        self.engine = engine
        self.params = nnx.data(
            jax.tree.map(nnx.Param, cell.init(rngs.params(), in_features))
        )

    def __call__(self, carry: Any, x: jax.Array) -> tuple[Any, Any]:
        """Returns the last carry and y: [T, B, I] -> [T, B, H]."""
        return self.engine(self.cell, nnx.as_pure(self.params), carry, x)
