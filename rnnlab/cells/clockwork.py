"""A simple recurrent network in modules, each with a clock of its own."""

import dataclasses
import itertools
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.activations import tanh
from rnnlab.cell import Params, SplitCell
from rnnlab.cells.dense import Dense


class ClockworkCarry(NamedTuple):
    """The state `h` [..., H] and, for each of M modules, t mod its period [..., M].

    bfloat16 counts to 256: longer periods need a `phase` of more precision.
    """

    h: jax.Array
    phase: jax.Array


@dataclasses.dataclass(frozen=True)
class ClockworkRNN(Dense, SplitCell[Any]):
    """Modules of H / M units; one of period T_k is updated at every T_k-th step alone.

    h_t = tanh(W x_t + b + R h_{t-1}) where t mod T_k = 0, from t = 0;  y_t = h_t
    h_t = h_{t-1} in the other modules

    A module sees itself and the slower ones: R is triangular by blocks. The other
    blocks of `recurrent` have no effect.

    Attributes:
        features: H, the number of units, the same in each module.
        periods: T_k of the modules, from fast to slow; each divides the next.

    References:
        Koutnik et al., A clockwork RNN, 2014, https://arxiv.org/abs/1402.3511
    """

    units: ClassVar[bool] = False

    periods: tuple[int, ...] = (1, 2, 4, 8)

    def __post_init__(self):
        super().__post_init__()
        periods = self.periods
        whole = isinstance(periods, tuple) and periods
        if not whole or not all(isinstance(n, int) and n > 0 for n in periods):
            raise ValueError(
                f"ClockworkRNN needs periods to be a tuple of positive ints, got"
                f" {periods!r}; pass periods=(1, 2, 4, 8), say."
            )
        if any(slow % fast for fast, slow in itertools.pairwise(periods)):
            raise ValueError(
                f"ClockworkRNN needs periods of which each divides the next, got"
                f" {periods!r}; pass powers of 2 in rising order, say."
            )
        if self.features % len(periods):
            raise ValueError(
                f"ClockworkRNN needs features divisible by the number of periods, got"
                f" {self.features} and {len(periods)}; pass a multiple of"
                f" {len(periods)}."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], recurrent [H, H], of deviation 0.1, and bias [H]."""
        of_x, of_h = jax.random.split(key)
        units = self.features
        return {
            "kernel": 0.1 * jax.random.normal(of_x, (in_features, units)),
            "recurrent": 0.1 * jax.random.normal(of_h, (units, units)),
            "bias": jnp.zeros(units),
        }

    def initial(
        self, batch: tuple[int, ...], dtype: Any = jnp.float32
    ) -> ClockworkCarry:
        """Returns zeros, h [*batch, H] and phase [*batch, M]: every module is due."""
        h = jnp.zeros((*batch, self.features), dtype)
        return ClockworkCarry(h, jnp.zeros((*batch, len(self.periods)), dtype))

    def prepare(self, params: Params) -> Params:
        """Returns the parameters with zeros in R where a faster module is seen."""
        module = jnp.arange(self.features) * len(self.periods) // self.features
        slower = module[:, None] >= module  # by rows seen, by columns seeing
        return params | {"recurrent": jnp.where(slower, params["recurrent"], 0)}

    def recur(self, params: Params, carry: ClockworkCarry) -> jax.Array:
        """Returns R h, [..., H]."""
        return carry.h @ params["recurrent"]

    def update(self, params, carry, u, r):
        """Returns the new state and phases; the state is also y."""
        units = self.features // len(self.periods)
        due = jnp.repeat(carry.phase < 0.5, units, axis=-1)
        h = jnp.where(due, tanh(u + r), carry.h)
        period = jnp.array(self.periods, carry.phase.dtype)
        phase = carry.phase + 1
        return ClockworkCarry(h, phase - jnp.where(phase > period - 0.5, period, 0)), h
