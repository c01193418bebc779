"""Recurrent layers in the blocks of a Transformer, in the place of attention."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan
from rnnlab.nn import stack
from rnnlab.nn.dropping import drop
from rnnlab.nn.gated_network import GatedNetwork, added
from rnnlab.nn.recurrent import Recurrent


class Blocks(nn.Module):
    """Blocks of a cell and of a gated network, each added to its input.

    x = x + drop(cell(norm(x)));  x = x + drop(network(norm(x)));  y = norm(x)

    This is how cells that are linear in their state are used: alone one above the
    other they would be linear, or nearly so. The input is scaled by the root of its
    features, as a Transformer's is.

    Attributes:
        features: H, of each block.
        cells: one a block, from the input up, of as many features.
        engine: how the steps of each cell are executed.
        dropout: the share of values set to zero in training, of what is added.
        dropout_in: the share at the input; None for `dropout`.
        variational: whether a mask is the same at all steps.
        weight_drop: the share of the entries of each cell's recurrent matrices that
            are zero for a sequence in training.

    References:
        Orvieto et al., Resurrecting recurrent neural networks for long sequences,
        2023, https://arxiv.org/abs/2303.06349
        De et al., Griffin: mixing gated linear recurrences with local attention for
        efficient language models, 2024, https://arxiv.org/abs/2402.19427
    """

    features: int
    cells: tuple[Cell[Any], ...]
    engine: Engine = Scan()
    dropout: float | jax.Array = 0.0
    dropout_in: float | jax.Array | None = None
    variational: bool = False
    weight_drop: float = 0.0

    @nn.nowrap
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns the carries of all cells before the first step."""
        return stack.initial(self.cells, batch, dtype)

    @nn.compact
    def __call__(
        self, carries: Any, x: jax.Array, train: bool = False
    ) -> tuple[Any, jax.Array]:
        """Returns the carries after the last step and y: [T, B, E] -> [T, B, H].

        In training with dropout, `apply` needs `rngs={"dropout": key}`.
        """
        x = x * x.shape[-1] ** 0.5
        if x.shape[-1] != self.features:
            x = nn.Dense(self.features, use_bias=False, name="entry")(x)
        x = self._drop(x, self.dropout_in, train)
        out = added(2 * len(self.cells))
        after = []
        for k, (cell, carry) in enumerate(zip(self.cells, carries, strict=True)):
            below = nn.RMSNorm(name=f"cell_norm_{k}")(x)
            layer = Recurrent(cell, self.engine, self.weight_drop)
            carry, y = layer(carry, below, train=train)
            x += self._drop(y, self.dropout, train)
            y = GatedNetwork(out)(nn.RMSNorm(name=f"network_norm_{k}")(x))
            x += self._drop(y, self.dropout, train)
            after.append(carry)
        return tuple(after), nn.RMSNorm(name=f"last_norm_{len(self.cells) - 1}")(x)

    def _drop(self, x, rate, train):
        """Returns x after dropout, at the own rate where there is none."""
        axes = (0,) if self.variational else ()
        return drop(self, x, self.dropout if rate is None else rate, train, axes)
