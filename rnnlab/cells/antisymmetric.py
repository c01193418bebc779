"""Recurrences by an antisymmetric matrix: small steps of a stable equation."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import DenseSplit


@dataclasses.dataclass(frozen=True)
class Antisymmetric(DenseSplit):
    """What both share: h, moved a little by A h with A = W - W^T - gamma I.

    Abstract. `recurrent` is W as it is trained, and A as the steps use it.
    """

    step_size: float = 0.1
    diffusion: float = 0.01

    def __post_init__(self):
        super().__post_init__()
        checks.above_zero(self, "step_size")
        checks.not_negative(self, "diffusion")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, gates H], recurrent [H, H], bias [gates H].

        Normal, of variance 1 / I and 1 / H; the bias zero.
        """
        of_x, of_h = jax.random.split(key)
        units, columns = self.features, self.gates * self.features
        return {
            "kernel": jax.random.normal(of_x, (in_features, columns))
            / jnp.sqrt(in_features),
            "recurrent": jax.random.normal(of_h, (units, units)) / jnp.sqrt(units),
            "bias": jnp.zeros(columns),
        }

    def prepare(self, params: Params) -> Params:
        """Returns the parameters with A for `recurrent`."""
        w = params["recurrent"]
        friction = self.diffusion * jnp.eye(self.features, dtype=w.dtype)
        return {**params, "recurrent": w - w.T - friction}


@dataclasses.dataclass(frozen=True)
class AntisymmetricRNN(Antisymmetric):
    """A step of Euler's method along an equation that neither grows nor forgets.

    A = W - W^T - gamma I
    h_t = h_{t-1} + epsilon * tanh(V x_t + b + A h_{t-1});  y_t = h_t

    Attributes:
        features: H, the number of units.
        step_size: epsilon.
        diffusion: gamma, a little friction, without which Euler's method grows.

    References:
        Chang, Chen, Haber, Chi, AntisymmetricRNN: a dynamical system view on
        recurrent neural networks, 2019, https://arxiv.org/abs/1902.09689
    """

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        h = carry + self.step_size * tanh(u + r)
        return h, h


@dataclasses.dataclass(frozen=True)
class GatedAntisymmetricRNN(Antisymmetric):
    """An AntisymmetricRNN with an input gate, which sees the same A h.

    z = sigmoid(V_z x_t + b_z + A h_{t-1});  A as in `AntisymmetricRNN`
    h_t = h_{t-1} + epsilon * z * tanh(V x_t + b + A h_{t-1});  y_t = h_t

    The columns of `kernel` and `bias` stand in the order z, h.

    Attributes:
        features: H, the number of units.
        step_size: epsilon.
        diffusion: gamma, a little friction, without which Euler's method grows.

    References:
        Chang, Chen, Haber, Chi, AntisymmetricRNN: a dynamical system view on
        recurrent neural networks, 2019, https://arxiv.org/abs/1902.09689
    """

    gates: ClassVar[int] = 2

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        u_z, u_h = jnp.split(u, 2, axis=-1)
        h = carry + self.step_size * sigmoid(u_z + r) * tanh(u_h + r)
        return h, h
