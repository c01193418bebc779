"""A long short-term memory over a grid, with convolutions for products."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Params, SplitCell
from rnnlab.cells.dense import LSTMCarry
from rnnlab.cells.grid import Grid
from rnnlab.cells.lstm import LSTM


@dataclasses.dataclass(frozen=True)
class ConvLSTM(Grid, SplitCell[LSTMCarry]):
    """The LSTM at each point of a grid, which sees the points around it.

    The equations of `LSTM`, with W * x and R * h convolutions: of a window around the
    point, with zeros outside the grid. x is [..., *size, I], the carry and y
    [..., *size, H].

    Attributes:
        features: H, the channels of the state.
        size: the points of the grid along each of its axes, one to three.
        window: the points that a gate sees along each axis, an odd number.
        forget_bias: initial bias of the forget gate.

    References:
        Shi et al., Convolutional LSTM network: a machine learning approach for
        precipitation nowcasting, 2015, https://arxiv.org/abs/1506.04214 (here without
        the weights from the memory to the gates)
    """

    gates: ClassVar[int] = 4

    forget_bias: float = 1.0

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [*windows, I, 4H], recurrent [*windows, H, 4H], bias [4H].

        Glorot uniform by gate, the window counted in.
        """
        params = super().init(key, in_features)
        forget = slice(self.features, 2 * self.features)
        return params | {"bias": params["bias"].at[forget].set(self.forget_bias)}

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> LSTMCarry:
        """Returns zeros for `c` and `h`, [*batch, *size, H] each."""
        return LSTM(self.features).initial((*batch, *self.size), dtype)

    def recur(self, params: Params, carry: LSTMCarry) -> jax.Array:
        """Returns R * h, [..., *size, 4H]."""
        return self.convolve(carry.h, params["recurrent"])

    def update(self, params, carry, u, r):
        """Returns the new memory and output; the output is also y."""
        return LSTM(self.features).update(params, carry, u, r)
