"""A cell with its parameters, and layers of them, as Flax linen modules."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan


class Recurrent(nn.Module):
    """One layer: a cell, executed over time by an engine.

    Attributes:
        cell: what a step computes.
        engine: how the steps are executed.
    """

    cell: Cell[Any]
    engine: Engine = Scan()

    @nn.compact
    def __call__(self, carry: Any, x: jax.Array) -> tuple[Any, Any]:
        """Returns the last carry and y: [T, B, I] -> [T, B, H]."""
        params = self.param("cell", self.cell.init, x.shape[-1])
        return self.engine(self.cell, params, carry, x)


def initial(
    cells: tuple[Cell[Any], ...], batch: tuple[int, ...], dtype: Any = jnp.float32
) -> Any:
    """Returns the carries of layers of cells before the first step."""
    return tuple(cell.initial(batch, dtype) for cell in cells)


class Stack(nn.Module):
    """Layers one above the other, with dropout at the input of each and at the end.

    Dropout is where Zaremba et al. put it: between layers and never on the way from
    one step to the next. Its masks are drawn once for all steps.

    Attributes:
        cells: one a layer, from the input up.
        engine: how the steps of each layer are executed.
        dropout: the share of values set to zero in training.

    References:
        Zaremba, Sutskever, Vinyals, Recurrent neural network regularization, 2014,
        https://arxiv.org/abs/1409.2329
    """

    cells: tuple[Cell[Any], ...]
    engine: Engine = Scan()
    dropout: float = 0.0

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns the carries of all layers before the first step."""
        return initial(self.cells, batch, dtype)

    @nn.compact
    def __call__(
        self, carries: Any, x: jax.Array, train: bool = False
    ) -> tuple[Any, jax.Array]:
        """Returns the carries after the last step and y: [T, B, I] -> [T, B, H].

        In training with dropout, `apply` needs `rngs={"dropout": key}`.
        """
        after = []
        for cell, carry in zip(self.cells, carries, strict=True):
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
            carry, x = Recurrent(cell, self.engine)(carry, x)
            after.append(carry)
        return tuple(after), nn.Dropout(self.dropout, deterministic=not train)(x)
