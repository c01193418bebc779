"""A scalar memory with exponential gates: sLSTM, of xLSTM."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import DenseSplit


class SLSTMCarry(NamedTuple):
    """Memory `c`, normaliser `n`, stabiliser `m` and output `h`, each [..., H]."""

    c: jax.Array
    n: jax.Array
    m: jax.Array
    h: jax.Array


@dataclasses.dataclass(frozen=True)
class SLSTM(DenseSplit):
    """A memory over a normaliser; units see the outputs of their own head alone.

    i~, f~, z~, o~ = W x_t + b + R h_{t-1}
    m_t = max(log sigmoid(f~) + m_{t-1}, i~), at the start i~
    f' = exp(log sigmoid(f~) + m_{t-1} - m_t);  i' = exp(i~ - m_t)
    c_t = f' * c_{t-1} + i' * tanh(z~);  n_t = f' * n_{t-1} + i'
    h_t = sigmoid(o~) * c_t / n_t;  y_t = h_t

    Where n is zero is the start. The columns of `kernel` and `bias`, and those of each
    head in `recurrent` [heads, H / heads, 4H / heads], stand in the order i, f, z, o.

    Attributes:
        features: H, the number of units.
        heads: blocks of units, which do not see each other.

    References:
        Beck et al., xLSTM: extended long short-term memory, 2024,
        https://arxiv.org/abs/2405.04517
    """

    units: ClassVar[bool] = False

    gates: ClassVar[int] = 4

    heads: int = 2

    def __post_init__(self):
        super().__post_init__()
        checks.whole_heads(self)

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 4H], recurrent, zeros, and bias [4H].

        As the authors' program for a first block: in each head, forget biases fall
        from 5 to -7 by a power law.
        """
        units, width = self.features, self.features // self.heads
        glorot = jax.nn.initializers.glorot_uniform()
        forget = jnp.tile(5 - 12 * jnp.linspace(0.0, 1.0, width) ** 0.3, self.heads)
        return {
            "kernel": initializers.side_by_side(glorot, key, (in_features, units), 4),
            "recurrent": jnp.zeros((self.heads, width, 4 * width)),
            "bias": jnp.zeros(4 * units).at[units : 2 * units].set(forget),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> SLSTMCarry:
        """Returns zeros, [*batch, H] each."""
        zeros = jnp.zeros((*batch, self.features), dtype)
        return SLSTMCarry(zeros, zeros, zeros, zeros)

    def recur(self, params: Params, carry: SLSTMCarry) -> jax.Array:
        """Returns R h, [..., 4H]."""
        batch, width = carry.h.shape[:-1], self.features // self.heads
        h = carry.h.reshape(*batch, self.heads, width)
        r = jnp.einsum("...nd,ndg->...ng", h, params["recurrent"])
        r = jnp.swapaxes(r.reshape(*batch, self.heads, 4, width), -3, -2)
        return r.reshape(*batch, 4 * self.features)

    def update(self, params, carry, u, r):
        """Returns the carry and the output, which is its `h`."""
        i, f, z, o = jnp.split(u + r, 4, axis=-1)
        kept = jax.nn.log_sigmoid(f) + carry.m
        kept = jnp.where(carry.n == 0, -jnp.inf, kept)
        m = jnp.maximum(kept, i)
        keep, write = jnp.exp(kept - m), jnp.exp(i - m)
        c = keep * carry.c + write * tanh(z)
        n = keep * carry.n + write
        h = sigmoid(o) * c / n
        return SLSTMCarry(c, n, m, h), h
