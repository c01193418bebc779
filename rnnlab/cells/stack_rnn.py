"""A simple recurrent network that pushes numbers on stacks and pops them."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid
from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import Dense

TOP = 2  # entries of each stack that the units see


class StackRNNCarry(NamedTuple):
    """The units `h` [..., H], and the stacks `s` [..., stacks, depth], top first."""

    h: jax.Array
    s: jax.Array


@dataclasses.dataclass(frozen=True)
class StackRNN(Dense):
    """Sigmoid units that see the top of stacks of scalars and act on them, softly.

    h_t = sigmoid(W x_t + b + R h_{t-1} + P s_{t-1}[:2]);  y_t = h_t
    push, pop, no-op = softmax(A h_t), for each stack;  v = sigmoid(D h_t)
    s_t[0] = push * v + pop * s_{t-1}[1] + no-op * s_{t-1}[0]
    s_t[i] = push * s_{t-1}[i-1] + pop * s_{t-1}[i+1] + no-op * s_{t-1}[i]

    Zero lies below the bottom, and is all that an empty stack holds; in the paper that
    is -1. The rows of `top` (P) stand stack by stack, the columns of `action` (A) too,
    in the order push, pop, no-op.

    Attributes:
        features: H, the number of units.
        stacks: how many stacks.
        depth: entries of each, 2 or more; what is pushed lower is lost.

    References:
        Joulin, Mikolov, Inferring algorithmic patterns with stack-augmented recurrent
        nets, 2015, https://arxiv.org/abs/1503.01007
    """

    units: ClassVar[bool] = False

    stacks: int = 2
    depth: int = 8

    def __post_init__(self):
        super().__post_init__()
        checks.positive(self, "stacks", "depth")
        if self.depth < TOP:
            raise ValueError(
                f"StackRNN needs a depth of at least {TOP}, the entries that the units"
                f" see, got {self.depth}; pass depth=8, say."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns those of `Elman`, top [2 S, H], action [H, 3 S] and push [H, S]."""
        own, top, action, push = jax.random.split(key, 4)
        glorot = jax.nn.initializers.glorot_uniform()
        return super().init(own, in_features) | {
            "top": glorot(top, (TOP * self.stacks, self.features)),
            "action": glorot(action, (self.features, 3 * self.stacks)),
            "push": glorot(push, (self.features, self.stacks)),
        }

    def initial(
        self, batch: tuple[int, ...], dtype: Any = jnp.float32
    ) -> StackRNNCarry:
        """Returns zeros: empty stacks."""
        s = jnp.zeros((*batch, self.stacks, self.depth), dtype)
        return StackRNNCarry(jnp.zeros((*batch, self.features), dtype), s)

    def step(self, params, carry, u):
        """Returns the units and stacks; the units are also y."""
        batch = carry.h.shape[:-1]
        top = carry.s[..., :TOP].reshape(*batch, TOP * self.stacks)
        h = sigmoid(u + carry.h @ params["recurrent"] + top @ params["top"])
        action = (h @ params["action"]).reshape(*batch, self.stacks, 3)
        s = moved(carry.s, jax.nn.softmax(action), sigmoid(h @ params["push"]))
        return StackRNNCarry(h, s), h


def moved(s: jax.Array, action: jax.Array, value: jax.Array) -> jax.Array:
    """Returns stacks [..., depth] after an action [..., 3] with a value [...]."""
    push, pop, keep = jnp.split(action, 3, axis=-1)
    pushed = jnp.concatenate([value[..., None], s[..., :-1]], axis=-1)
    popped = jnp.concatenate([s[..., 1:], jnp.zeros_like(s[..., :1])], axis=-1)
    return push * pushed + pop * popped + keep * s
