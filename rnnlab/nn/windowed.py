"""Layers whose cells are given several inputs side by side: QRNNs with convolutions."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan
from rnnlab.nn.dropping import drop
from rnnlab.nn.recurrent import Recurrent
from rnnlab.windows import windows


class Windowed(nn.Module):
    """Layers one above the other, each of which sees its last inputs at every step.

    With cells that multiply their input by a matrix this is a convolution over time,
    K inputs wide. A layer carries its last K - 1 inputs beside the cell's own carry;
    before the first step stand zeros. Dropout is that of `Stack`.

    Attributes:
        in_features: I of each layer, from the input up.
        cells: one a layer.
        window: K, of two or more.
        engine: how the steps of each layer are executed.
        dropout: the share of values set to zero in training, at each layer's input.
        dropout_in: the share at the input of the first layer; None for `dropout`.
        variational: whether a mask is the same at all steps.
        weight_drop: the share of the entries of each layer's recurrent matrices that
            are zero for a sequence in training.

    References:
        Bradbury et al., Quasi-recurrent neural networks, 2017,
        https://arxiv.org/abs/1611.01576
    """

    in_features: tuple[int, ...]
    cells: tuple[Cell[Any], ...]
    window: int
    engine: Engine = Scan()
    dropout: float | jax.Array = 0.0
    dropout_in: float | jax.Array | None = None
    variational: bool = False
    weight_drop: float = 0.0

    @nn.nowrap
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns each layer's last inputs, zeros [B, K - 1, I], and its carry."""
        return tuple(
            (
                jnp.zeros((*batch, self.window - 1, size), dtype),
                cell.initial(batch, dtype),
            )
            for size, cell in zip(self.in_features, self.cells, strict=True)
        )

    @nn.compact
    def __call__(
        self, carries: Any, x: jax.Array, train: bool = False
    ) -> tuple[Any, jax.Array]:
        """Returns the carries after the last step and y: [T, B, E] -> [T, B, H].

        In training with dropout, `apply` needs `rngs={"dropout": key}`.
        """
        axes = (0,) if self.variational else ()
        rate = self.dropout if self.dropout_in is None else self.dropout_in
        after, steps = [], len(x)
        for cell, (past, carry) in zip(self.cells, carries, strict=True):
            x, past = drop(self, x, rate, train, axes), past.swapaxes(0, 1)
            layer = Recurrent(cell, self.engine, self.weight_drop)
            carry, y = layer(carry, windows(x, self.window, past), train=train)
            past = jnp.concatenate([past, x])[steps:]
            after.append((past.swapaxes(0, 1), carry))
            x, rate = y, self.dropout
        return tuple(after), x
