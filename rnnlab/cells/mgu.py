"""Minimal gated unit: one gate both resets and updates."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cells.dense import Dense


@dataclasses.dataclass(frozen=True)
class MGU(Dense):
    """A GRU with a single gate, which scales the state before the product.

    f = sigmoid(W_f x_t + b_f + R_f h_{t-1})
    n = tanh(W_n x_t + b_n + R_n (f * h_{t-1}))
    h_t = (1 - f) * h_{t-1} + f * n;  y_t = h_t

    The columns stand in the order f, n. The second product waits for the first.

    Attributes:
        features: H, the number of units.

    References:
        Zhou et al., Minimal gated unit for recurrent neural networks, 2016,
        https://arxiv.org/abs/1603.09420
    """

    gates: ClassVar[int] = 2

    def step(self, params, carry, u):
        """Returns h twice: as the carry and as the output."""
        gate, candidate = jnp.split(params["recurrent"], 2, axis=-1)
        u_f, u_n = jnp.split(u, 2, axis=-1)
        f = sigmoid(u_f + carry @ gate)
        n = tanh(u_n + (f * carry) @ candidate)
        h = carry + f * (n - carry)
        return h, h
