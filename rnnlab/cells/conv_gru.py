"""A gated recurrent unit over a grid, with convolutions for products."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cells.grid import Grid


@dataclasses.dataclass(frozen=True)
class ConvGRU(Grid):
    """The GRU at each point of a grid, which sees the points around it.

    The equations of `GRUBefore`, with W * x and R * h convolutions: of a window around
    the point, with zeros outside the grid. x is [..., *size, I], the carry and y
    [..., *size, H]. The second convolution waits for the first: a plain Cell.

    Attributes:
        features: H, the channels of the state.
        size: the points of the grid along each of its axes, one to three.
        window: the points that a gate sees along each axis, an odd number.

    References:
        Ballas, Yao, Pal, Courville, Delving deeper into convolutional networks for
        learning video representations, 2016, https://arxiv.org/abs/1511.06432
    """

    gates: ClassVar[int] = 3

    def step(self, params, carry, u):
        """Returns h twice: as the carry and as the output."""
        gates, candidate = jnp.split(params["recurrent"], [2 * self.features], axis=-1)
        u_r, u_z, u_n = jnp.split(u, 3, axis=-1)
        r_r, r_z = jnp.split(self.convolve(carry, gates), 2, axis=-1)
        reset, z = sigmoid(u_r + r_r), sigmoid(u_z + r_z)
        n = tanh(u_n + self.convolve(reset * carry, candidate))
        h = n + z * (carry - n)
        return h, h
