"""A simple recurrent network with a tape that it reads and writes through one head."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cells import checks
from rnnlab.cells.controller import Controller

EPSILON = 1e-6  # keeps the norm of an empty slot and the logarithm of no weight finite


class TapeCarry(NamedTuple):
    """Units `h` and what was read `r`, [..., H] each, the tape and the head's weight.

    Attributes:
        h: [..., H].
        r: [..., H].
        tape: [..., slots, H].
        weight: [..., slots]; what its sum lacks of one lies on the first slot, so that
            zeros are a head on that slot.
    """

    h: jax.Array
    r: jax.Array
    tape: jax.Array
    weight: jax.Array


@dataclasses.dataclass(frozen=True)
class TapeRNN(Controller):
    """A controller whose head looks a slot up, moves by one, reads there and writes.

    h_t = tanh(W x_t + b + R [h_{t-1}, r_{t-1}]);  y_t = h_t
    k, a = tanh(C h_t + b_c);  e, g = sigmoid(C h_t + b_c);  s = softmax(C h_t + b_c)
    beta = softplus(C h_t + b_c);  gamma = 1 + softplus(C h_t + b_c)
    w_c = softmax(beta cosine(k, M_{t-1}));  w_g = g w_c + (1 - g) w_{t-1}
    w~[i] = s[0] w_g[i+1] + s[1] w_g[i] + s[2] w_g[i-1], round the end of the tape
    w_t = w~^gamma / sum of w~^gamma
    r_t = sum_i w_t[i] M_{t-1}[i];  M_t[i] = M_{t-1}[i] * (1 - w_t[i] e) + w_t[i] a

    A Neural Turing Machine with one head, which reads and then writes at one place, and
    an Elman network as controller. The columns of `control` (C) stand in the order k,
    e, a, s (back, stay, on), beta, g, gamma.

    Attributes:
        features: H, the number of units and of a slot's entries.
        slots: slots of the tape.

    References:
        Graves, Wayne, Danihelka, Neural Turing machines, 2014,
        https://arxiv.org/abs/1410.5401
    """

    units: ClassVar[bool] = False

    vectors: ClassVar[int] = 3
    scalars: ClassVar[int] = 6

    slots: int = 8

    def __post_init__(self):
        super().__post_init__()
        checks.positive(self, "slots")

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> TapeCarry:
        """Returns zeros: an empty tape, the head on its first slot."""
        h = jnp.zeros((*batch, self.features), dtype)
        tape = jnp.zeros((*batch, self.slots, self.features), dtype)
        return TapeCarry(h, h, tape, tape[..., 0])

    def step(self, params, carry, u):
        """Returns units, what was read, the tape, the weight; the units are also y."""
        h, (key, erase, add, scalars) = self.controlled(params, carry, u)
        shift, beta, gate, gamma = jnp.split(scalars, [3, 4, 5], axis=-1)
        found = jax.nn.softmax(jax.nn.softplus(beta) * cosine(tanh(key), carry.tape))
        lacking = 1 - jnp.sum(carry.weight, axis=-1, keepdims=True)
        before = jnp.concatenate(
            [carry.weight[..., :1] + lacking, carry.weight[..., 1:]], axis=-1
        )
        w = before + sigmoid(gate) * (found - before)
        w = moved(w, jax.nn.softmax(shift), 1 + jax.nn.softplus(gamma))
        r = jnp.sum(w[..., None] * carry.tape, axis=-2)
        kept = 1 - w[..., None] * sigmoid(erase)[..., None, :]
        tape = carry.tape * kept + w[..., None] * tanh(add)[..., None, :]
        return TapeCarry(h, r, tape, w), h


def cosine(key: jax.Array, tape: jax.Array) -> jax.Array:
    """Returns how like the key [..., H] each slot is, -1 to 1; 0 for an empty slot."""
    product = jnp.sum(key[..., None, :] * tape, axis=-1)
    squares = jnp.sum(key * key, axis=-1)[..., None] * jnp.sum(tape * tape, axis=-1)
    return product / jnp.sqrt(squares + EPSILON)


def moved(weight: jax.Array, shift: jax.Array, sharpening: jax.Array) -> jax.Array:
    """Returns the weight moved round the tape and sharpened, [..., slots].

    Args:
        weight: [..., slots], summing to one.
        shift: weights of a step back, none, and one on, [..., 3].
        sharpening: the exponent, 1 or more, [..., 1].
    """
    back, stay, on = jnp.split(shift, 3, axis=-1)
    w = back * jnp.roll(weight, -1, axis=-1) + stay * weight
    w = w + on * jnp.roll(weight, 1, axis=-1)
    w = jnp.maximum(w, 0)  # what lies on the first slot has the rounding of a sum
    return jax.nn.softmax(sharpening * jnp.log(w + EPSILON))
