"""A gated unit whose gates do not see the state: linear in it, parallel over time."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.cell import LinearCell, Params
from rnnlab.cells import checks


@dataclasses.dataclass(frozen=True)
class MinGRU(LinearCell):
    """A GRU without reset gate, without recurrent weights and without tanh.

    z = sigmoid(W_z x_t + b_z);  n = W_n x_t + b_n
    h_t = (1 - z) * h_{t-1} + z * n;  y_t = h_t

    The columns stand in the order z, n.

    Attributes:
        features: H, the number of units.

    References:
        Feng et al., Were RNNs all we needed?, 2024, https://arxiv.org/abs/2410.01201
    """

    features: int

    def __post_init__(self):
        checks.positive(self, "features")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 2H], bias [2H]."""
        glorot = jax.nn.initializers.glorot_uniform()
        shape = (in_features, self.features)
        return {
            "kernel": initializers.side_by_side(glorot, key, shape, count=2),
            "bias": jnp.zeros(2 * self.features),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Returns zeros, [*batch, H]."""
        return jnp.zeros((*batch, self.features), dtype)

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W x + b, [..., 2H]."""
        return x @ params["kernel"] + params["bias"]

    def coefficients(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns 1 - z and z * n, [..., H] each."""
        z, n = jnp.split(u, 2, axis=-1)
        return jax.nn.sigmoid(-z), jax.nn.sigmoid(z) * n

    def readout(self, params: Params, h: jax.Array, u: jax.Array) -> jax.Array:
        """Returns h."""
        return h
