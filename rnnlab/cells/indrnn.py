"""A recurrent network whose units each see only themselves of the last step."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.cell import Params, SplitCell
from rnnlab.cells.dense import Dense


@dataclasses.dataclass(frozen=True)
class IndRNN(Dense, SplitCell[Any]):
    """Independent units: h_t = relu(W x_t + b + u * h_{t-1});  y_t = h_t.

    Units meet in the layer above. The paper keeps |u_k| below 2^(1/T) in training,
    for sequences of T steps; that is for the optimiser to do.

    Attributes:
        features: H, the number of units.

    References:
        Li et al., Independently recurrent neural network (IndRNN): building a longer
        and deeper RNN, 2018, https://arxiv.org/abs/1803.04831
    """

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], recurrent [H], uniform in [0, 1], and bias [H]."""
        of_x, of_h = jax.random.split(key)
        glorot = jax.nn.initializers.glorot_uniform()
        return {
            "kernel": glorot(of_x, (in_features, self.features)),
            "recurrent": jax.random.uniform(of_h, (self.features,)),
            "bias": jnp.zeros(self.features),
        }

    def recur(self, params: Params, carry: jax.Array) -> jax.Array:
        """Returns u * h, [..., H]."""
        return params["recurrent"] * carry

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        h = jax.nn.relu(u + r)
        return h, h
