"""A long short-term memory with layer normalisation."""

import dataclasses

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import DenseMemory, LSTMCarry

EPSILON = 1e-5  # added to a variance


@dataclasses.dataclass(frozen=True)
class LayerNormLSTM(DenseMemory):
    """An LSTM that normalises both products over all gates, and the memory it shows.

    i, f, g, o = split(s_W * norm(W x_t) + s_R * norm(R h_{t-1}) + b)
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
    h_t = sigmoid(o) * tanh(s_c * norm(c_t) + b_c);  y_t = h_t

    norm(a) = (a - mean a) / sqrt(var a + 1e-5), over the features of one row.

    Attributes:
        features: H, the number of units.
        forget_bias: initial bias of the forget gate.

    References:
        Ba, Kiros, Hinton, Layer normalization, 2016, https://arxiv.org/abs/1607.06450
    """

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns those of `LSTM`, scales of both products [4H], of the memory [H]."""
        return super().init(key, in_features) | {
            "kernel_scale": jnp.ones(4 * self.features),
            "recurrent_scale": jnp.ones(4 * self.features),
            "memory_scale": jnp.ones(self.features),
            "memory_bias": jnp.zeros(self.features),
        }

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns s_W * norm(W x) + b, [..., 4H]."""
        return params["kernel_scale"] * norm(x @ params["kernel"]) + params["bias"]

    def update(self, params, carry, u, r):
        """Returns the new memory and output; the output is also y."""
        gates = u + params["recurrent_scale"] * norm(r)
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        i, f, o = sigmoid(i), sigmoid(f), sigmoid(o)
        c = f * carry.c + i * tanh(g)
        h = o * tanh(params["memory_scale"] * norm(c) + params["memory_bias"])
        return LSTMCarry(c, h), h


def norm(a: jax.Array) -> jax.Array:
    """Returns `a` with mean 0 and variance 1 over its last axis."""
    centred = a - jnp.mean(a, axis=-1, keepdims=True)
    variance = jnp.mean(centred**2, axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(variance + EPSILON)
