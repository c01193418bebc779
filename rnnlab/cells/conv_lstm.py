"""A long short-term memory over a grid, with convolutions for products."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.cell import Params, SplitCell
from rnnlab.cells import checks
from rnnlab.cells.dense import LSTMCarry
from rnnlab.cells.lstm import LSTM


@dataclasses.dataclass(frozen=True)
class ConvLSTM(SplitCell[LSTMCarry]):
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

    features: int
    size: tuple[int, ...]
    window: int = 3
    forget_bias: float = 1.0

    def __post_init__(self):
        checks.positive(self, "features", "window")
        sizes = isinstance(self.size, tuple) and 1 <= len(self.size) <= 3
        if not sizes or not all(isinstance(n, int) and n > 0 for n in self.size):
            raise ValueError(
                f"ConvLSTM needs size to be a tuple of one to three positive ints, got"
                f" {self.size!r}; pass ConvLSTM({self.features}, size=(16, 16)), say."
            )
        if self.window % 2 == 0:
            raise ValueError(
                f"ConvLSTM needs a window with a middle, got window={self.window};"
                f" pass an odd number."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [*windows, I, 4H], recurrent [*windows, H, 4H], bias [4H].

        Glorot uniform by gate, the window counted in.
        """
        windows = (self.window,) * len(self.size)
        glorot = jax.nn.initializers.glorot_uniform()
        of_x, of_h = jax.random.split(key)

        def drawn(key, channels):
            shape = (*windows, channels, self.features)
            return initializers.side_by_side(glorot, key, shape, count=4)

        forget = slice(self.features, 2 * self.features)
        return {
            "kernel": drawn(of_x, in_features),
            "recurrent": drawn(of_h, self.features),
            "bias": jnp.zeros(4 * self.features).at[forget].set(self.forget_bias),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> LSTMCarry:
        """Returns zeros for `c` and `h`, [*batch, *size, H] each."""
        return LSTM(self.features).initial((*batch, *self.size), dtype)

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W * x + b, [..., *size, 4H].

        Raises:
            ValueError: x is on another grid.
        """
        grid = x.shape[-1 - len(self.size) : -1]
        if grid != self.size:
            raise ValueError(
                f"{self} needs x of shape [..., {', '.join(map(str, self.size))}, I],"
                f" got {x.shape}; make the cell with the size of the grid of x."
            )
        return self._convolve(x, params["kernel"]) + params["bias"]

    def recur(self, params: Params, carry: LSTMCarry) -> jax.Array:
        """Returns R * h, [..., *size, 4H]."""
        return self._convolve(carry.h, params["recurrent"])

    def update(self, params, carry, u, r):
        """Returns the new memory and output; the output is also y."""
        return LSTM(self.features).update(params, carry, u, r)

    def _convolve(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        """Returns the convolution over the grid, any axes before it."""
        axes = len(self.size)
        before = x.shape[: -axes - 1]
        letters = "XYZ"[:axes]
        y = jax.lax.conv_general_dilated(
            x.reshape(-1, *x.shape[-axes - 1 :]),
            kernel,
            window_strides=(1,) * axes,
            padding="SAME",
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        )
        return y.reshape(*before, *y.shape[1:])
