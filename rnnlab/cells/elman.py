"""The simple recurrent network: one layer that sees its own last output."""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import tanh
from rnnlab.cell import Params, SplitCell
from rnnlab.cells import checks

ACTIVATIONS = {"tanh": tanh, "relu": jax.nn.relu}


@dataclasses.dataclass(frozen=True)
class Elman(SplitCell[jax.Array]):
    """h_t = act(W x_t + b + R h_{t-1});  y_t = h_t.

    Attributes:
        features: H, the number of units.
        activation: `tanh` or `relu`.

    References:
        Elman, Finding structure in time, 1990,
        https://doi.org/10.1207/s15516709cog1402_1
    """

    features: int
    activation: Literal["tanh", "relu"] = "tanh"

    def __post_init__(self):
        checks.positive(self, "features")
        checks.one_of(self, "activation", ACTIVATIONS)

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], recurrent [H, H], bias [H]."""
        return initializers.gates(key, in_features, self.features, count=1)

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Returns zeros, [*batch, H]."""
        return jnp.zeros((*batch, self.features), dtype)

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W x + b, [..., H]."""
        return x @ params["kernel"] + params["bias"]

    def recur(self, params: Params, carry: jax.Array) -> jax.Array:
        """Returns R h, [..., H]."""
        return carry @ params["recurrent"]

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        h = ACTIVATIONS[self.activation](u + r)
        return h, h
