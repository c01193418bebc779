"""Simple recurrent units: products of the input alone, and a highway to the output."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Cell, LinearCell, Params, SplitCell
from rnnlab.cells import checks


@dataclasses.dataclass(frozen=True)
class _Highway(Cell[Any]):
    """What both have in common: the products, and the memory before the first step."""

    features: int
    highway_bias: float = 0.0

    def __post_init__(self):
        checks.positive(self, "features")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 4H], uniform of variance 1 / I, and bias [2H]."""
        shape = (in_features, 4 * self.features)
        bias = jnp.array([0.0, self.highway_bias])
        return {
            "kernel": jax.nn.initializers.lecun_uniform()(key, shape),
            "bias": jnp.repeat(bias, self.features),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Returns zeros, [*batch, H]."""
        return jnp.zeros((*batch, self.features), dtype)

    def project(self, params: Params, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the gates' W x + b, and W x and W_s x; [..., 2H] each."""
        gates, others = jnp.split(x @ params["kernel"], 2, axis=-1)
        return gates + params["bias"], others


@dataclasses.dataclass(frozen=True)
class SRU(_Highway, SplitCell[jax.Array]):
    """Gates that see the memory through a weight a unit, and a scaled highway.

    f, r = sigmoid(W x_t + v * c_{t-1} + b)
    c_t = f * c_{t-1} + (1 - f) * (W x_t)
    h_t = r * c_t + (1 - r) * alpha * (W_s x_t);  y_t = h_t

    with alpha = sqrt(1 + 2 exp(highway_bias)). In the paper x itself takes the place
    of W_s x where I = H. The columns stand in the order f, r, W, W_s; `recurrent` is v.

    Attributes:
        features: H, the number of units.
        highway_bias: initial bias of r; below 0, the output is the input at first.

    References:
        Lei et al., Simple recurrent units for highly parallelizable recurrence, 2018,
        https://arxiv.org/abs/1709.02755
    """

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 4H], recurrent [2H], bias [2H].

        As the authors' program: W x and v c add to a variance of one in the gates.
        """
        of_x, of_c = jax.random.split(key)
        params = super().init(of_x, in_features)
        half = jnp.repeat(jnp.array([0.5**0.5, 1.0]), 2 * self.features)
        bound = 1.5**0.5
        v = jax.random.uniform(of_c, (2 * self.features,), minval=-bound, maxval=bound)
        return params | {"kernel": half * params["kernel"], "recurrent": v}

    def recur(self, params: Params, carry: jax.Array) -> jax.Array:
        """Returns v * c, [..., 2H]."""
        return params["recurrent"] * jnp.concatenate([carry, carry], axis=-1)

    def update(self, params, carry, u, r):
        """Returns the new memory and the output."""
        f, reset = jnp.split(sigmoid(u[0] + r), 2, axis=-1)
        candidate, skip = jnp.split(u[1], 2, axis=-1)
        c = candidate + f * (carry - candidate)
        skip = math.sqrt(1 + 2 * math.exp(self.highway_bias)) * skip
        return c, skip + reset * (c - skip)


@dataclasses.dataclass(frozen=True)
class LinearSRU(_Highway, LinearCell):
    """Gates that see the input alone, as first published.

    f, r = sigmoid(W x_t + b);  c_t = f * c_{t-1} + (1 - f) * (W x_t)
    h_t = r * tanh(c_t) + (1 - r) * (W_s x_t);  y_t = h_t

    In the paper x itself takes the place of W_s x where I = H. The columns stand in
    the order f, r, W, W_s.

    Attributes:
        features: H, the number of units.
        highway_bias: initial bias of r; below 0, the output is the input at first.

    References:
        Lei, Zhang, Training RNNs as fast as CNNs, 2017,
        https://arxiv.org/abs/1709.02755v1
    """

    def coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns f and (1 - f) * W x, [..., H] each."""
        f, candidate = u[0][..., : self.features], u[1][..., : self.features]
        return sigmoid(f), sigmoid(-f) * candidate

    def readout(self, params: Params, h: jax.Array, u: Any) -> jax.Array:
        """Returns the output, [..., H]."""
        reset, skip = u[0][..., self.features :], u[1][..., self.features :]
        return skip + sigmoid(reset) * (tanh(h) - skip)
