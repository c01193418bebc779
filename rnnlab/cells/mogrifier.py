"""A long short-term memory whose input and output gate each other before its step."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid
from rnnlab.cell import Cell, Params
from rnnlab.cells import checks
from rnnlab.cells.dense import LSTMCarry
from rnnlab.cells.lstm import LSTM


@dataclasses.dataclass(frozen=True)
class MogrifierLSTM(Cell[LSTMCarry]):
    """An LSTM after `rounds` of gating, x by h in the odd ones and h by x in the even.

    x^i = 2 sigmoid(Q^i h^{i-1}) * x^{i-2} for odd i, with x^{-1} = x_t
    h^i = 2 sigmoid(R^i x^{i-1}) * h^{i-2} for even i, with h^0 = h_{t-1}
    c_t, h_t = LSTM(the last x, c_{t-1}, the last h);  y_t = h_t

    `kernel`, `recurrent` and `bias` are those of `LSTM`, in the order i, f, g, o. With
    Q and R zero it is that. The last x depends on h: no product leaves the loop.

    Attributes:
        features: H, the number of units.
        rounds: how often one gates the other; the paper finds 5 or 6 best.
        rank: of each Q and R, a product of two matrices then; None for full ones.
        forget_bias: initial bias of the forget gate.

    References:
        Melis, Kocisky, Blunsom, Mogrifier LSTM, 2020,
        https://arxiv.org/abs/1909.01792
    """

    features: int
    rounds: int = 4
    forget_bias: float = 1.0
    rank: int | None = None

    def __post_init__(self):
        checks.positive(self, "features", "rounds")
        if self.rank is not None:
            checks.positive(self, "rank")

    @property
    def _lstm(self) -> LSTM:
        return LSTM(self.features, self.forget_bias)

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns those of `LSTM`, q [ceil(rounds / 2), H, I], r [rounds // 2, I, H].

        Without r for one round. With a rank k, q [.., H, k] and q_out [.., k, I] in
        place of q, and so for r.
        """
        own, *keys = jax.random.split(key, self.rounds + 1)
        params = dict(self._lstm.init(own, in_features))
        params |= self._draw("q", keys[::2], self.features, in_features)
        return params | self._draw("r", keys[1::2], in_features, self.features)

    def _draw(self, name, keys, rows, columns):
        """Returns a matrix for each key, or two of a low rank."""
        if not keys:
            return {}
        glorot = jax.nn.initializers.glorot_uniform()
        if self.rank is None:
            return {name: jnp.stack([glorot(key, (rows, columns)) for key in keys])}
        pairs = [jax.random.split(key) for key in keys]
        first = [glorot(key, (rows, self.rank)) for key, _ in pairs]
        second = [glorot(key, (self.rank, columns)) for _, key in pairs]
        return {name: jnp.stack(first), f"{name}_out": jnp.stack(second)}

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> LSTMCarry:
        """Returns zeros for `c` and `h`, [*batch, H] each."""
        return self._lstm.initial(batch, dtype)

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns x as it is: the first gate on it waits for h."""
        return x

    def _gate(self, params, name, k, by):
        """Returns what gate number k of q or r is before its sigmoid."""
        gate = by @ params[name][k]
        return gate if self.rank is None else gate @ params[f"{name}_out"][k]

    def step(self, params, carry, u):
        """Returns the new memory and output; the output is also y."""
        x, h = u, carry.h
        for i in range(self.rounds):
            if i % 2 == 0:
                x = 2 * sigmoid(self._gate(params, "q", i // 2, h)) * x
            else:
                h = 2 * sigmoid(self._gate(params, "r", i // 2, x)) * h
        lstm = self._lstm
        return lstm.step(params, LSTMCarry(carry.c, h), lstm.project(params, x))
