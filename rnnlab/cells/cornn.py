"""Coupled oscillators, driven by the input and by each other."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import tanh
from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import DenseSplit


class CoRNNCarry(NamedTuple):
    """The places `y` of the oscillators and their velocities `z`, each [..., H]."""

    y: jax.Array
    z: jax.Array


@dataclasses.dataclass(frozen=True)
class CoRNN(DenseSplit):
    """Damped oscillators, one a unit; gradients neither vanish nor explode.

    z_t = z_{t-1} + dt * (tanh(W x_t + b + R_y y_{t-1} + R_z z_{t-1})
                          - gamma * y_{t-1} - epsilon * z_{t-1})
    y_t = y_{t-1} + dt * z_t

    In `recurrent`, the rows of y stand before those of z.

    Attributes:
        features: H, the number of oscillators.
        step_size: dt, the time of a step.
        frequency: gamma, what draws back to 0: the square of the frequency.
        damping: epsilon, what slows down.

    References:
        Rusch, Mishra, Coupled oscillatory recurrent neural network (coRNN), 2021,
        https://arxiv.org/abs/2010.00951
    """

    step_size: float = 0.05
    frequency: float = 2.7
    damping: float = 4.7

    def __post_init__(self):
        super().__post_init__()
        checks.above_zero(self, "step_size", "frequency")
        checks.not_negative(self, "damping")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], recurrent [2H, H], bias [H].

        Uniform within 1 / sqrt(I + 2H), as in the code of the paper.
        """
        units = self.features
        like = {
            "kernel": jnp.zeros((in_features, units)),
            "recurrent": jnp.zeros((2 * units, units)),
            "bias": jnp.zeros(units),
        }
        return initializers.uniform(key, like, (in_features + 2 * units) ** -0.5)

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> CoRNNCarry:
        """Returns zeros for `y` and `z`, [*batch, H] each: at rest."""
        shape = (*batch, self.features)
        return CoRNNCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def recur(self, params: Params, carry: CoRNNCarry) -> jax.Array:
        """Returns R_y y + R_z z, [..., H]."""
        return jnp.concatenate(carry, axis=-1) @ params["recurrent"]

    def update(self, params, carry, u, r):
        """Returns the new places and velocities, and the places."""
        back = self.frequency * carry.y + self.damping * carry.z
        z = carry.z + self.step_size * (tanh(u + r) - back)
        y = carry.y + self.step_size * z
        return CoRNNCarry(y, z), y
