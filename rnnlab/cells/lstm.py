"""Long short-term memory with a forget gate."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params, SplitCell
from rnnlab.cells import checks


class LSTMCarry(NamedTuple):
    """The memory `c` and the output `h`, each [..., H]."""

    c: jax.Array
    h: jax.Array


@dataclasses.dataclass(frozen=True)
class LSTM(SplitCell[LSTMCarry]):
    """A memory that is kept, written and shown through three gates.

    i, f, o = sigmoid(W x_t + b + R h_{t-1});  g = tanh(W_g x_t + b_g + R_g h_{t-1})
    c_t = f * c_{t-1} + i * g;  h_t = o * tanh(c_t);  y_t = h_t

    The columns of `kernel`, `recurrent` and `bias` stand in the order i, f, g, o.

    Attributes:
        features: H, the number of units.
        forget_bias: initial bias of the forget gate; 1 keeps the memory at first.

    References:
        Hochreiter, Schmidhuber, Long short-term memory, 1997,
        https://doi.org/10.1162/neco.1997.9.8.1735
        Gers, Schmidhuber, Cummins, Learning to forget, 2000,
        https://doi.org/10.1162/089976600300015015
        Jozefowicz, Zaremba, Sutskever, An empirical exploration of recurrent network
        architectures, 2015, https://proceedings.mlr.press/v37/jozefowicz15.html
    """

    features: int
    forget_bias: float = 1.0

    def __post_init__(self):
        checks.positive(self, "features")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 4H], recurrent [H, 4H], bias [4H]."""
        params = initializers.gates(key, in_features, self.features, count=4)
        forget = slice(self.features, 2 * self.features)
        params["bias"] = params["bias"].at[forget].set(self.forget_bias)
        return params

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> LSTMCarry:
        """Returns zeros for `c` and `h`, [*batch, H] each."""
        shape = (*batch, self.features)
        return LSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W x + b, [..., 4H]."""
        return x @ params["kernel"] + params["bias"]

    def recur(self, params: Params, carry: LSTMCarry) -> jax.Array:
        """Returns R h, [..., 4H]."""
        return carry.h @ params["recurrent"]

    def update(self, params, carry, u, r):
        """Returns the new memory and output; the output is also y."""
        i, f, g, o = jnp.split(u + r, 4, axis=-1)
        i, f, o = sigmoid(i), sigmoid(f), sigmoid(o)
        c = f * carry.c + i * tanh(g)
        h = o * tanh(c)
        return LSTMCarry(c, h), h
