"""Long short-term memory with a forget gate."""

import dataclasses

import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cells.dense import DenseMemory, LSTMCarry


@dataclasses.dataclass(frozen=True)
class LSTM(DenseMemory):
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

    def update(self, params, carry, u, r):
        """Returns the new memory and output; the output is also y."""
        i, f, g, o = jnp.split(u + r, 4, axis=-1)
        i, f, o = sigmoid(i), sigmoid(f), sigmoid(o)
        c = f * carry.c + i * tanh(g)
        h = o * tanh(c)
        return LSTMCarry(c, h), h
