"""Quasi-recurrent network: gates from a window of inputs, and pooling over time."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells.linear import Gated


@dataclasses.dataclass(frozen=True)
class QRNN(Gated):
    """A convolution over time without bias, then fo-pooling.

    z = tanh(W_z X_t);  f, o = sigmoid(W X_t), X_t the last inputs side by side
    c_t = f * c_{t-1} + (1 - f) * z;  y_t = o * c_t

    The carry is c. A step sees its own input alone, so that what the cell is given is
    X: `rnnlab.windows.windows(x, 2)` makes windows of two inputs, for which `init`
    takes in_features of 2 I, and `rnnlab.nn.Windowed` does so layer by layer. The
    columns stand in the order z, f, o.

    Attributes:
        features: H, the number of units.

    References:
        Bradbury et al., Quasi-recurrent neural networks, 2017,
        https://arxiv.org/abs/1611.01576
    """

    gates: ClassVar[int] = 3

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 3H]."""
        return {"kernel": super().init(key, in_features)["kernel"]}

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W X, [..., 3H]."""
        return x @ params["kernel"]

    def coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns f and (1 - f) * z, [..., H] each."""
        z, f, _ = jnp.split(u, 3, axis=-1)
        return sigmoid(f), sigmoid(-f) * tanh(z)

    def readout(self, params: Params, h: jax.Array, u: Any) -> jax.Array:
        """Returns o * c, [..., H]."""
        return sigmoid(u[..., 2 * self.features :]) * h
