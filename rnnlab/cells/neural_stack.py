"""A simple recurrent network with a stack of vectors, pushed and popped by degrees."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cells import checks
from rnnlab.cells.controller import Controller


class NeuralStackCarry(NamedTuple):
    """Units `h` and what was read `r`, [..., H] each, and the stack, top first.

    Attributes:
        h: [..., H].
        r: [..., H].
        values: [..., depth, H].
        strengths: [..., depth], each from 0 to 1.
    """

    h: jax.Array
    r: jax.Array
    values: jax.Array
    strengths: jax.Array


@dataclasses.dataclass(frozen=True)
class NeuralStack(Controller):
    """A controller that pops u of a stack, pushes v with strength d, then reads r.

    h_t = tanh(W x_t + b + R [h_{t-1}, r_{t-1}])
    v, y_t = tanh(C h_t + b_c);  d, u = sigmoid(C h_t + b_c)
    s'[i] = max(0, s_{t-1}[i] - max(0, u - sum of s_{t-1} above i))
    s_t, V_t = [d, s'], [v, V_{t-1}]
    r_t = sum_i min(s_t[i], max(0, 1 - sum of s_t above i)) V_t[i]

    The paper's stack grows by one entry a step; this one has `depth`, and the oldest
    falls out. The columns of `control` (C) stand in the order v, y, d, u.

    Attributes:
        features: H, the number of units, of outputs and of a value's entries.
        depth: entries of the stack; one is taken at each step, pushed or not.

    References:
        Grefenstette et al., Learning to transduce with unbounded memory, 2015,
        https://arxiv.org/abs/1506.02516
    """

    units: ClassVar[bool] = False

    vectors: ClassVar[int] = 2
    scalars: ClassVar[int] = 2

    depth: int = 16

    def __post_init__(self):
        super().__post_init__()
        checks.positive(self, "depth")

    def initial(
        self, batch: tuple[int, ...], dtype: Any = jnp.float32
    ) -> NeuralStackCarry:
        """Returns zeros: an empty stack."""
        h = jnp.zeros((*batch, self.features), dtype)
        values = jnp.zeros((*batch, self.depth, self.features), dtype)
        return NeuralStackCarry(h, h, values, values[..., 0])

    def step(self, params, carry, u):
        """Returns units, what was read, the stack; and the output."""
        h, (v, y, scalars) = self.controlled(params, carry, u)
        d, pop = jnp.split(sigmoid(scalars), 2, axis=-1)
        values, s = moved(carry.values, carry.strengths, d, pop, tanh(v))
        return NeuralStackCarry(h, read(values, s), values, s), tanh(y)


def moved(
    values: jax.Array,
    strengths: jax.Array,
    push: jax.Array,
    pop: jax.Array,
    vector: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Returns a stack after a pop and a push.

    Where nothing is taken, strengths stay as they are: the maximum would halve the
    gradient of those that are zero.

    Args:
        values: [..., depth, H], the top first.
        strengths: [..., depth].
        push: strength of the new entry, [..., 1].
        pop: strength taken away from the top down, [..., 1].
        vector: value of the new entry, [..., H].
    """
    taken = jnp.maximum(pop - _above(strengths), 0)
    left = jnp.where(taken > 0, jnp.maximum(strengths - taken, 0), strengths)
    values = jnp.concatenate([vector[..., None, :], values[..., :-1, :]], axis=-2)
    return values, jnp.concatenate([push, left[..., :-1]], axis=-1)


def read(values: jax.Array, strengths: jax.Array) -> jax.Array:
    """Returns the sum [..., H] of the topmost values, up to a strength of one."""
    room = jnp.maximum(1 - _above(strengths), 0)
    part = jnp.where(room > 0, jnp.minimum(strengths, room), 0)
    return jnp.sum(part[..., None] * values, axis=-2)


def _above(strengths: jax.Array) -> jax.Array:
    """Returns the sum of the strengths above each, [..., depth]."""
    shifted = jnp.concatenate(
        [jnp.zeros_like(strengths[..., :1]), strengths[..., :-1]], axis=-1
    )
    return jnp.cumsum(shifted, axis=-1)
