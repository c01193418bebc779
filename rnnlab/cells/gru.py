"""Gated recurrent units, with the reset gate after or before the product."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import Dense, DenseSplit


@dataclasses.dataclass(frozen=True)
class GRU(DenseSplit):
    """The reset gate scales the recurrent product: one product a step.

    r, z = sigmoid(W x_t + b + R h_{t-1})
    n = tanh(W_n x_t + b_n + r * (R_n h_{t-1} + b_r));  y_t = h_t
    h_t = (1 - z) * n + z * h_{t-1}

    The columns stand in the order r, z, n, and `recurrent_bias` is b_r, as in cuDNN,
    torch and Keras with `reset_after=True`.

    Attributes:
        features: H, the number of units.

    References:
        Cho et al., Learning phrase representations using RNN encoder-decoder, 2014,
        https://arxiv.org/abs/1406.1078 (version 1 has the reset gate here)
    """

    gates: ClassVar[int] = 3

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 3H], recurrent [H, 3H], bias [3H], recurrent_bias [H]."""
        params = super().init(key, in_features)
        return params | {"recurrent_bias": jnp.zeros(self.features)}

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        u_r, u_z, u_n = jnp.split(u, 3, axis=-1)
        r_r, r_z, r_n = jnp.split(r, 3, axis=-1)
        reset, z = sigmoid(u_r + r_r), sigmoid(u_z + r_z)
        n = tanh(u_n + reset * (r_n + params["recurrent_bias"]))
        h = n + z * (carry - n)
        return h, h


@dataclasses.dataclass(frozen=True)
class GRUBefore(Dense):
    """The reset gate scales the state before the product, as published.

    r, z = sigmoid(W x_t + b + R h_{t-1})
    n = tanh(W_n x_t + b_n + R_n (r * h_{t-1}));  y_t = h_t
    h_t = (1 - z) * n + z * h_{t-1}

    The second product waits for the first, so this is a plain Cell, not a SplitCell.

    Attributes:
        features: H, the number of units.

    References:
        Cho et al., Learning phrase representations using RNN encoder-decoder, 2014,
        https://arxiv.org/abs/1406.1078
    """

    gates: ClassVar[int] = 3

    def step(self, params, carry, u):
        """Returns h twice: as the carry and as the output."""
        gates, candidate = jnp.split(params["recurrent"], [2 * self.features], axis=-1)
        u_r, u_z, u_n = jnp.split(u, 3, axis=-1)
        r_r, r_z = jnp.split(carry @ gates, 2, axis=-1)
        reset, z = sigmoid(u_r + r_r), sigmoid(u_z + r_z)
        n = tanh(u_n + (reset * carry) @ candidate)
        h = n + z * (carry - n)
        return h, h
