"""A long short-term memory that attends over its own last states."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import Dense


class LSTMNInput(NamedTuple):
    """What a step takes of x: for the gates [..., 4H], for attention [..., H]."""

    gates: jax.Array
    attention: jax.Array


class LSTMNCarry(NamedTuple):
    """The last states, the newest first, and what the last step attended to.

    Attributes:
        h: [..., span, H].
        c: [..., span, H].
        filled: [..., span], 1 where there is a state, else 0.
        attended: the last h~, [..., H].
    """

    h: jax.Array
    c: jax.Array
    filled: jax.Array
    attended: jax.Array


@dataclasses.dataclass(frozen=True)
class LSTMN(Dense):
    """Long short-term memory-network: an LSTM on a mixture of its last `span` states.

    a_j = v . tanh(W_h h_j + W_x x_t + W_a h~_{t-1});  s = softmax(a) over the filled
    h~_t, c~_t = sum_j s_j h_j, sum_j s_j c_j, zeros where nothing is filled
    i, f, o = sigmoid(W x_t + b + R h~_t);  g = tanh(W_g x_t + b_g + R_g h~_t)
    c_t = f * c~_t + i * g;  h_t = o * tanh(c_t);  y_t = h_t

    The paper attends over all states. The columns of `kernel`, `recurrent` and `bias`
    stand in the order i, f, g, o; W_h is `memory`, W_x `query`, W_a `last`, v `score`.

    Attributes:
        features: H, the number of units.
        span: how many states are kept.
        forget_bias: initial bias of the forget gate.

    References:
        Cheng, Dong, Lapata, Long short-term memory-networks for machine reading, 2016,
        https://arxiv.org/abs/1601.06733
    """

    units: ClassVar[bool] = False

    gates: ClassVar[int] = 4

    span: int = 8
    forget_bias: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        checks.positive(self, "span")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns those of `LSTM`, memory and last [H, H], query [I, H], score [H]."""
        own, memory, query, last, score = jax.random.split(key, 5)
        units = self.features
        glorot = jax.nn.initializers.glorot_uniform()
        params = super().init(own, in_features)
        return params | {
            "bias": params["bias"].at[units : 2 * units].set(self.forget_bias),
            "memory": glorot(memory, (units, units)),
            "query": glorot(query, (in_features, units)),
            "last": glorot(last, (units, units)),
            "score": glorot(score, (units, 1))[:, 0],
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> LSTMNCarry:
        """Returns zeros: no state is filled."""
        h = jnp.zeros((*batch, self.span, self.features), dtype)
        return LSTMNCarry(h, h, h[..., 0], h[..., 0, :])

    def project(self, params: Params, x: jax.Array) -> LSTMNInput:
        """Returns W x + b and W_x x."""
        return LSTMNInput(super().project(params, x), x @ params["query"])

    def step(self, params, carry, u):
        """Returns the last states with the new one in front; its h is also y."""
        asked = u.attention + carry.attended @ params["last"]
        seen = tanh(carry.h @ params["memory"] + asked[..., None, :])
        weight = softmax(seen @ params["score"], carry.filled)[..., None]
        h, c = jnp.sum(weight * carry.h, axis=-2), jnp.sum(weight * carry.c, axis=-2)
        i, f, g, o = jnp.split(u.gates + h @ params["recurrent"], 4, axis=-1)
        new_c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        new_h = sigmoid(o) * tanh(new_c)
        filled = jnp.ones_like(carry.filled[..., :1])
        kept = LSTMNCarry(
            jnp.concatenate([new_h[..., None, :], carry.h[..., :-1, :]], axis=-2),
            jnp.concatenate([new_c[..., None, :], carry.c[..., :-1, :]], axis=-2),
            jnp.concatenate([filled, carry.filled[..., :-1]], axis=-1),
            attended=h,
        )
        return kept, new_h


def softmax(a: jax.Array, filled: jax.Array) -> jax.Array:
    """Returns weights [..., span] that sum to one over the filled; zeros if none is."""
    a = jnp.where(filled > 0, a, -jnp.inf)
    lowest = float(jnp.finfo(a.dtype).min)
    most = jnp.max(a, axis=-1, keepdims=True, initial=lowest)
    e = filled * jnp.exp(a - jax.lax.stop_gradient(most))
    return e / jnp.maximum(jnp.sum(e, axis=-1, keepdims=True), 1e-6)
