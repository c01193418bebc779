"""A matrix memory with exponential gates: mLSTM, of xLSTM."""

import dataclasses
import math
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import sigmoid
from rnnlab.cell import Cell, Params
from rnnlab.cells import checks
from rnnlab.cells.decayed_attention import attend


class MLSTMCarry(NamedTuple):
    """Memory `c` [..., heads, d, d], normaliser `n` [..., heads, d], `m` [..., heads].

    d = H / heads. The rows of `c` are those of values, its columns those of keys.
    """

    c: jax.Array
    n: jax.Array
    m: jax.Array


class MLSTMInput(NamedTuple):
    """What x gives: q, k, v [..., heads, d], i~ and log f [..., heads], o [..., H]."""

    q: jax.Array
    k: jax.Array
    v: jax.Array
    i: jax.Array
    log_f: jax.Array
    o: jax.Array


@dataclasses.dataclass(frozen=True)
class MLSTM(Cell[MLSTMCarry]):
    """A head's memory holds values by keys, and is asked by queries.

    q, k, v, o~, i~, f~ = W x_t + b, k divided by sqrt(d);  log f = log sigmoid(f~)
    m_t = max(log f + m_{t-1}, i~)
    f' = exp(log f + m_{t-1} - m_t);  i' = exp(i~ - m_t)
    C_t = f' C_{t-1} + i' v k^T;  n_t = f' n_{t-1} + i' k
    y_t = sigmoid(o~) * (C_t q / max(|n_t q|, exp(-m_t)))

    q, k, v and o have H columns, i~ and f~ one a head, in the order q, k, v, o, i, f.

    Attributes:
        features: H, the number of units.
        heads: memories, of d = H / heads values and keys each.

    References:
        Beck et al., xLSTM: extended long short-term memory, 2024,
        https://arxiv.org/abs/2405.04517
    """

    units: ClassVar[bool] = False

    features: int
    heads: int = 2

    def __post_init__(self):
        checks.positive(self, "features")
        checks.whole_heads(self)

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 4H + 2 heads] and bias [4H + 2 heads].

        As the authors' program: i~ and f~ do not see x at first; forget biases rise
        from 3 to 6 over the heads.
        """
        of_x, of_i = jax.random.split(key)
        glorot, heads = jax.nn.initializers.glorot_uniform(), self.heads
        shape = (in_features, self.features)
        dense = initializers.side_by_side(glorot, of_x, shape, 4)
        biases = 0.1 * jax.random.normal(of_i, (heads,)), jnp.linspace(3.0, 6.0, heads)
        return {
            "kernel": jnp.pad(dense, [(0, 0), (0, 2 * heads)]),
            "bias": jnp.concatenate([jnp.zeros(4 * self.features), *biases]),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> MLSTMCarry:
        """Returns zeros."""
        m, width = (*batch, self.heads), self.features // self.heads
        shapes = (*m, width, width), (*m, width), m
        return MLSTMCarry(*(jnp.zeros(shape, dtype) for shape in shapes))

    def project(self, params: Params, x: jax.Array) -> MLSTMInput:
        """Returns all but the memory: queries, keys, values and gates."""
        u = x @ params["kernel"] + params["bias"]
        units, heads = self.features, self.heads
        *dense, o = jnp.split(u[..., : 4 * units], 4, axis=-1)
        i, f = jnp.split(u[..., 4 * units :], 2, axis=-1)
        q, k, v = (a.reshape(*a.shape[:-1], heads, -1) for a in dense)
        k = k / math.sqrt(units // heads)
        return MLSTMInput(q, k, v, i, jax.nn.log_sigmoid(f), sigmoid(o))

    def step(self, params, carry, u):
        """Returns the carry and the output, [..., H]."""
        kept = u.log_f + carry.m
        m = jnp.maximum(kept, u.i)
        keep, write = jnp.exp(kept - m)[..., None], jnp.exp(u.i - m)[..., None]
        c = keep[..., None] * carry.c + (write * u.v)[..., None] * u.k[..., None, :]
        n = keep * carry.n + write * u.k
        top = jnp.einsum("...vk,...k->...v", c, u.q)
        y = _shown(top, jnp.sum(n * u.q, axis=-1), m, u.o)
        return MLSTMCarry(c, n, m), y

    def parallel(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns y [T, B, H] from the zero carry, all steps at once, as attention.

        It takes memory and arithmetic of T^2, where the recurrence takes T d^2.
        """
        u = self.project(self.prepare(params), x)
        return _shown(*attend(u.q, u.k, u.v, u.i, u.log_f), u.o)


def _shown(top, bottom, m, o):
    """Returns o * (top / max(|bottom|, exp(-m))), heads side by side.

    Below m = 0, of top and bottom times exp(m), which do not overflow; above m = 34,
    with exp(-34) as the bound, since 0 / 0 has no value.
    """
    scale = jnp.exp(jnp.minimum(m, 0))
    bound = jnp.exp(-jnp.clip(m, 0, 34))
    bottom = jnp.maximum(jnp.abs(bottom) * scale, bound)
    h = top * (scale / bottom)[..., None]
    return o * h.reshape(o.shape)
