"""Long expressive memory: two states, each with time steps of its own."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import Dense


class LEMCarry(NamedTuple):
    """The output `y` and the memory `z` beside it, each [..., H]."""

    y: jax.Array
    z: jax.Array


@dataclasses.dataclass(frozen=True)
class LEM(Dense):
    """Two coupled states, whose time steps are learned and differ by unit.

    a = dt * sigmoid(W_1 x_t + b_1 + R_1 y_{t-1})
    b = dt * sigmoid(W_2 x_t + b_2 + R_2 y_{t-1})
    z_t = (1 - a) * z_{t-1} + a * tanh(W_z x_t + b_z + R_z y_{t-1})
    y_t = (1 - b) * y_{t-1} + b * tanh(W_y x_t + b_y + R_y z_t)

    The columns stand in the order 1, 2, z, y. The last product waits for z_t, so this
    is a plain Cell.

    Attributes:
        features: H, the number of units.
        step_size: dt, the longest time step.

    References:
        Rusch, Mishra, Erichson, Mahoney, Long expressive memory for sequence
        modeling, 2022, https://arxiv.org/abs/2110.04744
    """

    gates: ClassVar[int] = 4

    step_size: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        checks.above_zero(self, "step_size")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 4H], recurrent [H, 4H], bias [4H].

        Uniform within 1 / sqrt(H), as in the code of the paper.
        """
        like = {
            "kernel": jnp.zeros((in_features, 4 * self.features)),
            "recurrent": jnp.zeros((self.features, 4 * self.features)),
            "bias": jnp.zeros(4 * self.features),
        }
        return initializers.uniform(key, like, self.features**-0.5)

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> LEMCarry:
        """Returns zeros for `y` and `z`, [*batch, H] each."""
        shape = (*batch, self.features)
        return LEMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def step(self, params, carry, u):
        """Returns both states, and y."""
        of_y, of_z = jnp.split(params["recurrent"], [3 * self.features], axis=-1)
        u_1, u_2, u_z, u_y = jnp.split(u, 4, axis=-1)
        r_1, r_2, r_z = jnp.split(carry.y @ of_y, 3, axis=-1)
        a = self.step_size * sigmoid(u_1 + r_1)
        b = self.step_size * sigmoid(u_2 + r_2)
        z = carry.z + a * (tanh(u_z + r_z) - carry.z)
        y = carry.y + b * (tanh(u_y + z @ of_z) - carry.y)
        return LEMCarry(y, z), y
