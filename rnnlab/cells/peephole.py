"""A long short-term memory whose gates see the memory."""

import dataclasses

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import DenseMemory, LSTMCarry


@dataclasses.dataclass(frozen=True)
class PeepholeLSTM(DenseMemory):
    """An LSTM with a weight from each memory to each of its own gates.

    i, f = sigmoid(W x_t + b + R h_{t-1} + p * c_{t-1});  g as in `LSTM`
    c_t = f * c_{t-1} + i * g
    o = sigmoid(W_o x_t + b_o + R_o h_{t-1} + p_o * c_t)
    h_t = o * tanh(c_t);  y_t = h_t

    Attributes:
        features: H, the number of units.
        forget_bias: initial bias of the forget gate.

    References:
        Gers, Schmidhuber, Recurrent nets that time and count, 2000,
        https://doi.org/10.1109/IJCNN.2000.861302
        Graves, Generating sequences with recurrent neural networks, 2013,
        https://arxiv.org/abs/1308.0850
    """

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns those of `LSTM` and peephole [3, H], zeros: for i, f, o."""
        params = super().init(key, in_features)
        return params | {"peephole": jnp.zeros((3, self.features))}

    def update(self, params, carry, u, r):
        """Returns the new memory and output; the output is also y."""
        p_i, p_f, p_o = params["peephole"]
        i, f, g, o = jnp.split(u + r, 4, axis=-1)
        i, f = sigmoid(i + p_i * carry.c), sigmoid(f + p_f * carry.c)
        c = f * carry.c + i * tanh(g)
        h = sigmoid(o + p_o * c) * tanh(c)
        return LSTMCarry(c, h), h
