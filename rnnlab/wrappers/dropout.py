"""Dropout on the way from one step to the next.

References:
    Gal, Ghahramani, A theoretically grounded application of dropout in recurrent
    neural networks, 2016, https://arxiv.org/abs/1512.05287
    Semeniuta, Severyn, Barth, Recurrent dropout without memory loss, 2016,
    https://arxiv.org/abs/1603.05118
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params, SplitCell
from rnnlab.cells.dense import LSTMCarry
from rnnlab.wrappers import rates as rates_of
from rnnlab.wrappers.wrapped import Rule, Wrapped, wrap


@dataclasses.dataclass(frozen=True)
class RecurrentDropout(Rule):
    """Drops units from what the recurrent product sees; the memory is untouched.

    Attributes:
        rates: the share dropped of each leaf of the carry.
        each_step: whether each step has masks of its own.
    """

    random: ClassVar[bool] = True

    rates: tuple[float, ...]
    each_step: bool = False

    def draw(self, key: jax.Array, carry: Any, steps: int) -> Any:
        """Returns what is kept, bool [T, B, ...] a leaf."""
        return _masks(key, self.rates, carry, steps, self.each_step)

    def seen(self, carry: Any, marks: Any) -> Any:
        """Returns the carry without what is dropped."""
        return _drop(self.rates, carry, marks)


@dataclasses.dataclass(frozen=True)
class StateDropout(Rule):
    """Drops units of the carry itself as a step begins: they are forgotten.

    Attributes:
        rates: the share dropped of each leaf of the carry.
        each_step: whether each step has masks of its own.
    """

    random: ClassVar[bool] = True

    rates: tuple[float, ...]
    each_step: bool = True

    def draw(self, key: jax.Array, carry: Any, steps: int) -> Any:
        """Returns what is kept, bool [T, B, ...] a leaf."""
        return _masks(key, self.rates, carry, steps, self.each_step)

    def enter(self, cell: Any, params: Params, carry: Any, marks: Any) -> Any:
        """Returns the carry without what is dropped."""
        return _drop(self.rates, carry, marks)

    def coefficients(
        self, cell: Any, params: Params, a: jax.Array, b: jax.Array, marks: Any
    ) -> tuple[jax.Array, jax.Array]:
        """Returns a of 0 where the unit is dropped."""
        return _drop(self.rates, a, marks), b


def _masks(key, rates, carry, steps, each_step):
    """Returns what is kept, bool [T, B, ...] a leaf; None for a rate of 0."""
    kept = rates_of.kept(key, rates, carry, (steps,) if each_step else ())
    if each_step:
        return kept
    return jax.tree.map(lambda m: jnp.broadcast_to(m, (steps, *m.shape)), kept)


def _drop(rates, carry, marks):
    """Returns the carry without what is dropped, the rest scaled to the same mean."""
    if marks is None:
        return carry
    leaves, structure = jax.tree.flatten(carry)
    dropped = [
        leaf if kept is None else jnp.where(kept, leaf / (1 - rate), 0)
        for rate, kept, leaf in zip(rates, marks, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, dropped)


def recurrent_dropout(cell: Cell[Any], rates: Any, each_step: bool = False) -> Wrapped:
    """Returns the cell with dropout on what its recurrent product sees.

    The masks are drawn by `rnnlab.sequences.run(..., key=key)`: one for the whole
    sequence, which is variational dropout (Gal and Ghahramani), or new at each step.

    Args:
        cell: a SplitCell, or one that carries an `LSTMCarry`: its h is made anew at
            each step, so that what products see of it can be dropped as it comes in.
        rates: the share of units dropped: one number, or one for each leaf of the
            carry.
        each_step: whether each step has masks of its own.

    Raises:
        TypeError: the cell has no recurrent product of its own.
        ValueError: a rate outside [0, 1), or another structure than the carry's.
    """
    if not isinstance(cell, SplitCell):
        if isinstance(jax.eval_shape(lambda: cell.initial(())), LSTMCarry):
            _, h = rates_of.spread("recurrent_dropout", cell, rates)
            return wrap(cell, StateDropout((0.0, h), each_step))
        raise TypeError(
            f"recurrent_dropout needs a SplitCell, whose product with the carry stands"
            f" apart, got {cell}; use state_dropout or zoneout for any cell."
        )
    # Its product sees units alone.
    rates = rates_of.spread("recurrent_dropout", cell, rates, alike=False)
    return wrap(cell, RecurrentDropout(rates, each_step))


def state_dropout(cell: Cell[Any], rates: Any) -> Wrapped:
    """Returns the cell with dropout on its carry, of the same structure as `cell`.

    The masks are drawn by `rnnlab.sequences.run(..., key=key)`, new ones at each step:
    a mask for the whole sequence would scale the units that it keeps at every step.

    Args:
        cell: any cell.
        rates: the share of units dropped: one number, or one for each leaf of the
            carry, `LSTMCarry(c=0.0, h=0.25)`.

    Raises:
        ValueError: a rate outside [0, 1), another structure than the carry's, or one
            rate for a carry whose leaves are not all units (`Cell.units`).
    """
    return wrap(cell, StateDropout(rates_of.spread("state_dropout", cell, rates)))
