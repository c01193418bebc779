"""A memory with two gates that do not see it: linear in it, parallel over time."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid
from rnnlab.cell import Params
from rnnlab.cells.linear import Gated


@dataclasses.dataclass(frozen=True)
class MinLSTM(Gated):
    """An LSTM without output gate, its two others scaled to a sum of one.

    f, i = sigmoid(W x_t + b);  f' = f / (f + i);  i' = i / (f + i)
    h_t = f' * h_{t-1} + i' * (W_h x_t + b_h);  y_t = h_t

    The columns stand in the order f, i, h.

    Attributes:
        features: H, the number of units.

    References:
        Feng et al., Were RNNs all we needed?, 2024, https://arxiv.org/abs/2410.01201
    """

    gates: ClassVar[int] = 3

    def coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns f' and i' * (W_h x + b_h), [..., H] each."""
        f, i, n = jnp.split(u, 3, axis=-1)
        odds = log_odds(f, i)
        return sigmoid(odds), sigmoid(-odds) * n


def log_odds(f: jax.Array, i: jax.Array) -> jax.Array:
    """Returns log(sigmoid(f) / sigmoid(i)), of which f' is the sigmoid."""
    return jax.nn.softplus(-i) - jax.nn.softplus(-f)
