"""The recurrent cell that a search by reinforcement learning found."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import DenseSplit, LSTMCarry


@dataclasses.dataclass(frozen=True)
class NASCell(DenseSplit):
    """A tree of eight leaves, each of a product with x and one with h, and a memory.

    u_0 .. u_7 = W x_t + b;  r_0 .. r_7 = R h_{t-1};  a_k = u_k + r_k, but a_3 = u_3 r_3
    l_k = sigmoid(a_k) for k = 0, 2, 5, 7; relu(a_k) for 1, 3; tanh(a_k) for 4, 6
    m_0 = tanh(l_0 * l_1);  m_1 = tanh(l_2 + l_3)
    m_2 = tanh(l_4 * l_5);  m_3 = sigmoid(l_6 + l_7)
    c_t = tanh(m_0 + c_{t-1}) * m_1;  h_t = tanh(c_t * tanh(m_2 + m_3));  y_t = h_t

    As in TensorFlow's NASCell, but for the biases, which stand beside R h_{t-1} there:
    a_3 differs where b_3 is not zero. The columns stand in the order of k.

    Attributes:
        features: H, the number of units.

    References:
        Zoph, Le, Neural architecture search with reinforcement learning, 2017,
        https://arxiv.org/abs/1611.01578
    """

    gates: ClassVar[int] = 8

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> LSTMCarry:
        """Returns zeros for `c` and `h`, [*batch, H] each."""
        shape = (*batch, self.features)
        return LSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def recur(self, params: Params, carry: LSTMCarry) -> jax.Array:
        """Returns R h, [..., 8H]."""
        return carry.h @ params["recurrent"]

    def update(self, params, carry, u, r):
        """Returns the new memory and output; the output is also y."""
        a = jnp.split(u + r, 8, axis=-1)
        u_3, r_3 = (jnp.split(part, 8, axis=-1)[3] for part in (u, r))
        left = tanh(sigmoid(a[0]) * jax.nn.relu(a[1]))
        scale = tanh(sigmoid(a[2]) + jax.nn.relu(u_3 * r_3))
        right = tanh(tanh(a[4]) * sigmoid(a[5]))
        shown = tanh(right + sigmoid(tanh(a[6]) + sigmoid(a[7])))
        c = tanh(left + carry.c) * scale
        h = tanh(c * shown)
        return LSTMCarry(c, h), h
