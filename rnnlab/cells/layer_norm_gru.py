"""A gated recurrent unit with layer normalisation."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import DenseSplit
from rnnlab.cells.layer_norm import norm


@dataclasses.dataclass(frozen=True)
class LayerNormGRU(DenseSplit):
    """A GRU that normalises both products: over both gates, and over the candidate.

    z, r = sigmoid(s_W * norm(W x_t) + b + s_R * norm(R h_{t-1}))
    n = tanh(s_W' * norm(W_n x_t) + b_n + r * (s_R' * norm(R_n h_{t-1}) + b_r))
    h_t = (1 - z) * h_{t-1} + z * n;  y_t = h_t

    `norm` is that of `LayerNormLSTM`. The columns stand in the order z, r, n, and
    `recurrent_bias` is b_r.

    Attributes:
        features: H, the number of units.

    References:
        Ba, Kiros, Hinton, Layer normalization, 2016, https://arxiv.org/abs/1607.06450
        (the supplementary material)
    """

    gates: ClassVar[int] = 3

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 3H], recurrent, a bias and two scales [3H], and b_r."""
        return super().init(key, in_features) | {
            "kernel_scale": jnp.ones(3 * self.features),
            "recurrent_scale": jnp.ones(3 * self.features),
            "recurrent_bias": jnp.zeros(self.features),
        }

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns s_W * norm(W x) + b, [..., 3H]."""
        scale, bias = params["kernel_scale"], params["bias"]
        return scale * self._norm(x @ params["kernel"]) + bias

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        u_z, u_r, u_n = jnp.split(u, 3, axis=-1)
        r_z, r_r, r_n = jnp.split(params["recurrent_scale"] * self._norm(r), 3, axis=-1)
        z, reset = sigmoid(u_z + r_z), sigmoid(u_r + r_r)
        n = tanh(u_n + reset * (r_n + params["recurrent_bias"]))
        h = carry + z * (n - carry)
        return h, h

    def _norm(self, a: jax.Array) -> jax.Array:
        """Returns `a` normalised over the gates' 2H columns and over the other H."""
        gates, candidate = jnp.split(a, [2 * self.features], axis=-1)
        return jnp.concatenate([norm(gates), norm(candidate)], axis=-1)
