"""A gated unit whose gates do not see the state: linear in it, parallel over time."""

import dataclasses

import jax
import jax.numpy as jnp

from rnnlab.cell import Params
from rnnlab.cells.linear import Gated


@dataclasses.dataclass(frozen=True)
class MinGRU(Gated):
    """A GRU without reset gate, without recurrent weights and without tanh.

    z = sigmoid(W_z x_t + b_z);  n = W_n x_t + b_n
    h_t = (1 - z) * h_{t-1} + z * n;  y_t = h_t

    The columns stand in the order z, n.

    Attributes:
        features: H, the number of units.

    References:
        Feng et al., Were RNNs all we needed?, 2024, https://arxiv.org/abs/2410.01201
    """

    def coefficients(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns 1 - z and z * n, [..., H] each."""
        z, n = jnp.split(u, 2, axis=-1)
        return jax.nn.sigmoid(-z), jax.nn.sigmoid(z) * n
