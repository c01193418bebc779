"""The simple recurrent network: one layer that sees its own last output."""

import dataclasses
from typing import Literal

import jax

from rnnlab.activations import sigmoid, tanh
from rnnlab.cells import checks
from rnnlab.cells.dense import DenseSplit

ACTIVATIONS = {
    "leaky_relu": jax.nn.leaky_relu,
    "relu": jax.nn.relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
}


@dataclasses.dataclass(frozen=True)
class Elman(DenseSplit):
    """h_t = act(W x_t + b + R h_{t-1});  y_t = h_t.

    Attributes:
        features: H, the number of units.
        activation: `tanh`, `sigmoid`, `relu` or `leaky_relu` (0.01 below zero).

    References:
        Elman, Finding structure in time, 1990,
        https://doi.org/10.1207/s15516709cog1402_1
    """

    activation: Literal["tanh", "sigmoid", "relu", "leaky_relu"] = "tanh"

    def __post_init__(self):
        super().__post_init__()
        checks.one_of(self, "activation", ACTIVATIONS)

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        h = ACTIVATIONS[self.activation](u + r)
        return h, h
