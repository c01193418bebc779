"""Recurrent highway network: several gated layers between two steps."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Cell, Params
from rnnlab.cells import checks


@dataclasses.dataclass(frozen=True)
class RHN(Cell[jax.Array]):
    """A step of `depth` highway layers; the first alone sees the input.

    n, t = R_l s_{l-1} + b_l  (+ W x_t for l = 1), with s_0 = h_{t-1}
    s_l = sigmoid(t) * tanh(n) + (1 - sigmoid(t)) * s_{l-1};  h_t = y_t = s_depth

    The carry gate is 1 - t. The columns stand in the order n, t.

    Attributes:
        features: H, the number of units.
        depth: highway layers in a step.
        transform_bias: initial bias of t; below 0, the state is kept at first.

    References:
        Zilly et al., Recurrent highway networks, 2017,
        https://arxiv.org/abs/1607.03474
    """

    features: int
    depth: int = 2
    transform_bias: float = -2.0

    def __post_init__(self):
        checks.positive(self, "features", "depth")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 2H], recurrent [depth, H, 2H], bias [depth, 2H]."""
        features, layers = self.features, self.depth
        params = initializers.gates(key, in_features, features, count=2 * layers)
        recurrent = params["recurrent"].reshape(features, layers, 2 * features)
        bias = jnp.repeat(jnp.array([0.0, self.transform_bias]), features)
        return {
            "kernel": params["kernel"][:, : 2 * features],
            "recurrent": jnp.swapaxes(recurrent, 0, 1),
            "bias": jnp.tile(bias, (layers, 1)),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Returns zeros, [*batch, H]."""
        return jnp.zeros((*batch, self.features), dtype)

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W x + b_1, [..., 2H]."""
        return x @ params["kernel"] + params["bias"][0]

    def step(self, params, carry, u):
        """Returns h twice: as the carry and as the output."""
        s = carry
        for layer in range(self.depth):
            own = u if layer == 0 else params["bias"][layer]
            n, t = jnp.split(s @ params["recurrent"][layer] + own, 2, axis=-1)
            s = s + sigmoid(t) * (tanh(n) - s)
        return s, s
