"""Fast cells that step several times between two inputs, around one that is slow."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.cells import checks
from rnnlab.cells.dense import LSTMCarry
from rnnlab.cells.lstm import LSTM


class FastSlowCarry(NamedTuple):
    """The state that the fast cells hand on, and that of the slow one."""

    fast: LSTMCarry
    slow: LSTMCarry


@dataclasses.dataclass(frozen=True)
class FastSlowLSTM(Cell[FastSlowCarry]):
    """Fast LSTM cells F_1 .. F_k pass one state on; S, slow, sees h of F_1, feeds F_2.

    h^1_t = F_1(h^k_{t-1}, x_t);  s_t = S(s_{t-1}, h^1_t);  h^2_t = F_2(h^1_t, s_t)
    h^i_t = F_i(h^{i-1}_t) for i > 2, without input;  y_t = h^k_t

    Each is an `LSTM` with its parameters; F_3 and later have no `kernel`.

    Attributes:
        features: H, the number of units of each fast cell.
        fast: k, the number of fast cells, 2 or more.
        slow_features: units of the slow cell; None for as many as the fast have.
        forget_bias: initial bias of each forget gate.

    References:
        Mujika, Meier, Steger, Fast-slow recurrent neural networks, 2017,
        https://arxiv.org/abs/1705.08639
    """

    features: int
    fast: int = 2
    slow_features: int | None = None
    forget_bias: float = 1.0

    def __post_init__(self):
        checks.positive(self, "features", "fast")
        if self.slow_features is not None:
            checks.positive(self, "slow_features")
        if self.fast < 2:
            raise ValueError(
                f"FastSlowLSTM needs at least 2 fast cells, one before the slow cell"
                f" and one after it, got fast={self.fast}; pass fast=2."
            )

    @property
    def _cells(self) -> tuple[LSTM, LSTM]:
        slow = self.slow_features or self.features
        return LSTM(self.features, self.forget_bias), LSTM(slow, self.forget_bias)

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns fast, a list of k dicts, and slow, a dict: those of `LSTM`."""
        fast, slow = self._cells
        own, *keys = jax.random.split(key, self.fast + 1)
        inputs = [in_features, slow.features] + [1] * (self.fast - 2)
        drawn = [fast.init(k, n) for k, n in zip(keys, inputs, strict=True)]
        for params in drawn[2:]:
            del params["kernel"]
        return {"fast": drawn, "slow": slow.init(own, self.features)}

    def initial(
        self, batch: tuple[int, ...], dtype: Any = jnp.float32
    ) -> FastSlowCarry:
        """Returns zeros for both, as `LSTM` does."""
        return FastSlowCarry(*(cell.initial(batch, dtype) for cell in self._cells))

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns what F_1 takes of the input, [..., 4H]."""
        return self._cells[0].project(params["fast"][0], x)

    def step(self, params, carry, u):
        """Returns the new states, and h of the last fast cell."""
        fast, slow = self._cells
        first, second, *rest = params["fast"]
        state, h = fast.step(first, carry.fast, u)
        own = slow.project(params["slow"], h)
        slow_state, s = slow.step(params["slow"], carry.slow, own)
        state, h = fast.step(second, state, fast.project(second, s))
        for params_i in rest:
            state, h = fast.step(params_i, state, params_i["bias"])
        return FastSlowCarry(state, slow_state), h
