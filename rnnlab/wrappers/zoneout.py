"""Units that keep what they carried, at random: dropout towards the identity.

In training each unit of the carry stays as it was with the probability of its rate;
in evaluation the carry is the mean of both.

References:
    Krueger et al., Zoneout: regularizing RNNs by randomly preserving hidden
    activations, 2017, https://arxiv.org/abs/1606.01305
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.wrappers import rates as rates_of
from rnnlab.wrappers.mixed import Mixed
from rnnlab.wrappers.wrapped import Rule, Wrapped, Wrapper, wrap


@dataclasses.dataclass(frozen=True)
class Zoneout(Rule):
    """Keeps units of the carry as they were.

    Attributes:
        rates: for each leaf of the carry, the share that is kept.
    """

    random: ClassVar[bool] = True

    rates: tuple[float, ...]

    def draw(self, key: jax.Array, carry: Any, steps: int) -> Any:
        """Returns which units are new at each step, bool [T, B, ...] a leaf."""
        return rates_of.kept(key, self.rates, carry, (steps,))

    def leave(self, before: Any, after: Any, y: Any, marks: Any) -> tuple[Any, Any]:
        """Returns the carry in part as before; y with it where y is a leaf of it."""
        old, new = jax.tree.leaves(before), jax.tree.leaves(after)
        each = marks or (None,) * len(new)
        mixed = [_mix(*leaf) for leaf in zip(self.rates, each, old, new, strict=True)]
        for leaf, left in zip(new, mixed, strict=True):
            if leaf is y:
                y = left
        return jax.tree.unflatten(jax.tree.structure(after), mixed), y

    def coefficients(
        self, cell: Any, params: Params, a: jax.Array, b: jax.Array, marks: Any
    ) -> tuple[jax.Array, jax.Array]:
        """Returns 1 and 0 where a unit stays."""
        (rate,), (new,) = self.rates, marks or (None,)
        one, zero = jnp.ones_like(a), jnp.zeros_like(b)
        return _mix(rate, new, one, a), _mix(rate, new, zero, b)


def _mix(rate, new, old, after):
    """Returns a unit as it was or as it became; without marks, the mean of both."""
    if rate == 0:
        return after
    if new is None:
        return rate * old + (1 - rate) * after
    return jnp.where(new, after, old)


def zoneout(cell: Cell[Any], rates: Any) -> Wrapped:
    """Returns the cell with units that stay, of the same structure as `cell`.

    The masks are drawn by `rnnlab.sequences.run(..., key=key)`. The output follows
    where it is a leaf of the carry, as the h of an LSTM.

    Args:
        cell: any cell.
        rates: the share of units that stay at each step: one number, or one for each
            leaf of the carry, `LSTMCarry(c=0.5, h=0.05)`.

    Raises:
        TypeError: `mixed` is inside: its output is no leaf of the carry.
        ValueError: a rate outside [0, 1), another structure than the carry's, or one
            rate for a carry whose leaves are not all units (`Cell.units`).
    """
    if _is_mixed(cell):
        raise TypeError(
            f"zoneout must stand inside of mixed, whose output is of another dtype than"
            f" the carry, got {cell}; write mixed(zoneout(cell, rates))."
        )
    return wrap(cell, Zoneout(rates_of.spread("zoneout", cell, rates)))


def _is_mixed(cell: Cell[Any]) -> bool:
    if isinstance(cell, Mixed):
        return True
    return isinstance(cell, Wrapper) and _is_mixed(cell.cell)
