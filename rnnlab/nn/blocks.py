"""Recurrent layers in the blocks of a Transformer, in the place of attention."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan
from rnnlab.nn.depthwise import DepthwiseConv
from rnnlab.nn.dropping import drop
from rnnlab.nn.gated_network import GatedNetwork, added
from rnnlab.nn.recurrent import Recurrent


class Blocks(nn.Module):
    """Blocks of a recurrent and of a gated network, each added to its input.

    x = x + drop(recurrent(norm(x)));  x = x + drop(network(norm(x)));  y = norm(x)

    This is how cells that are linear in their state are used: alone one above the
    other they would be linear, or nearly so. The input is scaled by the root of its
    features, as a Transformer's is. The blocks are those of Griffin without attention,
    whichever the cell: the LRU's paper has its cell and a gated linear unit alone.

    Attributes:
        features: H, of each block.
        cells: one a block, from the input up, of as many features.
        engine: how the steps of each cell are executed.
        kernel: K, the inputs that the convolution before each cell sees.
        dropout: the share of values set to zero in training, of what is added.
        dropout_in: the share at the input; None for `dropout`.
        variational: whether a mask is the same at all steps.
        weight_drop: the share of the entries of each cell's recurrent matrices that
            are zero for a sequence in training.

    References:
        De et al., Griffin: mixing gated linear recurrences with local attention for
        efficient language models, 2024, https://arxiv.org/abs/2402.19427
        Orvieto et al., Resurrecting recurrent neural networks for long sequences,
        2023, https://arxiv.org/abs/2303.06349
    """

    features: int
    cells: tuple[Cell[Any], ...]
    engine: Engine = Scan()
    kernel: int = 4
    dropout: float | jax.Array = 0.0
    dropout_in: float | jax.Array | None = None
    variational: bool = False
    weight_drop: float = 0.0

    @nn.nowrap
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns each block's carry before the first step; see `RecurrentBlock`."""
        conv = DepthwiseConv(self.features, self.kernel)
        return tuple(
            (conv.initial(batch, dtype), cell.initial(batch, dtype))
            for cell in self.cells
        )

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
            given = cell, self.engine, self.kernel, self.weight_drop, out
            carry, y = RecurrentBlock(*given)(carry, below, train)
            x += self._drop(y, self.dropout, train)
            y = GatedNetwork(out)(nn.RMSNorm(name=f"network_norm_{k}")(x))
            x += self._drop(y, self.dropout, train)
            after.append(carry)
        return tuple(after), nn.RMSNorm(name=f"last_norm_{len(self.cells) - 1}")(x)

    def _drop(self, x, rate, train):
        """Returns x after dropout, at the own rate where there is none."""
        axes = (0,) if self.variational else ()
        return drop(self, x, self.dropout if rate is None else rate, train, axes)


class RecurrentBlock(nn.Module):
    """y = W (gelu(U x) * cell(conv(V x))), of as many units as features.

    It carries the last inputs of the convolution and the cell's own carry.

    Attributes:
        cell: what a step computes.
        engine: how the steps are executed.
        kernel: K, the inputs that the convolution sees.
        weight_drop: the share of the entries of the cell's recurrent matrices that are
            zero for a sequence in training.
        out: the initial values of W.
    """

    cell: Cell[Any]
    engine: Engine
    kernel: int
    weight_drop: float
    out: nn.initializers.Initializer

    @nn.compact
    def __call__(
        self, carry: Any, x: jax.Array, train: bool = False
    ) -> tuple[Any, jax.Array]:
        """Returns the carry after the last step and y: [T, B, H] -> [T, B, H]."""
        features = x.shape[-1]
        past, carry = carry
        made = nn.Dense(2 * features, use_bias=False, name="gate_and_value")(x)
        gate, value = jnp.split(made, 2, axis=-1)
        past, value = DepthwiseConv(features, self.kernel)(past, value)
        layer = Recurrent(self.cell, self.engine, self.weight_drop)
        carry, y = layer(carry, value, train=train)
        last = nn.Dense(features, use_bias=False, kernel_init=self.out, name="out")
        return (past, carry), last(nn.gelu(gate) * y)
