"""A long short-term memory with batch normalisation."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import DenseMemory, LSTMCarry

EPSILON = 1e-5  # added to a variance


@dataclasses.dataclass(frozen=True)
class BatchNormalised(DenseMemory):
    """What training and evaluation share: parameters, input, and the gates.

    Abstract.
    """

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns those of `LSTM`, scales of both products [4H], of the memory [H].

        Scales are 0.1: of a larger one, tanh would let little gradient through.
        """
        return super().init(key, in_features) | {
            "kernel_scale": jnp.full(4 * self.features, 0.1),
            "recurrent_scale": jnp.full(4 * self.features, 0.1),
            "memory_scale": jnp.full(self.features, 0.1),
            "memory_bias": jnp.zeros(self.features),
        }

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W x, [..., 4H]; its statistics are of one step."""
        return x @ params["kernel"]


@dataclasses.dataclass(frozen=True)
class BatchNormLSTM(BatchNormalised):
    """An LSTM that normalises products and memory over the rows of a batch.

    i, f, g, o = split(s_W * norm(W x_t) + s_R * norm(R h_{t-1}) + b)
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
    h_t = sigmoid(o) * tanh(s_c * norm(c_t) + b_c);  y_t = h_t

    norm(a) = (a - mean a) / sqrt(var a + 1e-5), over all batch axes at this step: for
    training. Rows see each other, and so do the steps of padding. To evaluate, take
    `FrozenBatchNormLSTM` with the statistics of `population`.

    Attributes:
        features: H, the number of units.
        forget_bias: initial bias of the forget gate.

    References:
        Cooijmans et al., Recurrent batch normalization, 2017,
        https://arxiv.org/abs/1603.09025
    """

    rows_apart: ClassVar[bool] = False

    def update(self, params, carry, u, r):
        """Returns the new memory and output; the output is also y."""
        return advance(params, carry, u, r, lambda _, a: normalised(a, *moments(a)))


def advance(
    params: Params, carry: Any, u: Any, r: Any, norm: Callable[[str, Any], Any]
) -> tuple[LSTMCarry, jax.Array]:
    """Returns what the equations give, with `norm` of each of the three by its name."""
    gates = params["kernel_scale"] * norm("kernel", u) + params["bias"]
    gates = gates + params["recurrent_scale"] * norm("recurrent", r)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = sigmoid(f) * carry.c + sigmoid(i) * tanh(g)
    shown = params["memory_scale"] * norm("memory", c) + params["memory_bias"]
    h = sigmoid(o) * tanh(shown)
    return LSTMCarry(c, h), h


def moments(a: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns mean and variance over all axes but the last."""
    axes = tuple(range(a.ndim - 1))
    mean = jnp.mean(a, axis=axes)
    return mean, jnp.mean((a - mean) ** 2, axis=axes)


def normalised(a: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    """Returns `a` less the mean, in units of the deviation."""
    return (a - mean) * jax.lax.rsqrt(variance + EPSILON)
