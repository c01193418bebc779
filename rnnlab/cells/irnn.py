"""A simple recurrent network of rectified units that starts as the identity."""

import dataclasses

import jax
import jax.numpy as jnp

from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import DenseSplit


@dataclasses.dataclass(frozen=True)
class IRNN(DenseSplit):
    """h_t = relu(W x_t + b + R h_{t-1});  y_t = h_t;  R = scale * 1 at the start.

    Attributes:
        features: H, the number of units.
        scale: what R is of the identity at the start; below 1, the state fades.

    References:
        Le, Jaitly, Hinton, A simple way to initialize recurrent networks of rectified
        linear units, 2015, https://arxiv.org/abs/1504.00941
    """

    scale: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        checks.above_zero(self, "scale")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], of deviation 0.001, recurrent [H, H], bias [H]."""
        return {
            "kernel": 0.001 * jax.random.normal(key, (in_features, self.features)),
            "recurrent": self.scale * jnp.eye(self.features),
            "bias": jnp.zeros(self.features),
        }

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        h = jax.nn.relu(u + r)
        return h, h
