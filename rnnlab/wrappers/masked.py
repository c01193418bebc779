"""Steps that do not count, and sequences that begin anew within a row.

Where `valid` is false the carry stays as it is and y is zero; whatever x holds there,
NaN included, reaches no value and no gradient. Where `reset` is true the carry is the
initial one before the step.

The marks ride in `u`. A split step multiplies the carry before it sees `u`, so a
reset is done at the end of the step before; a linear step puts it in its
coefficients.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, LinearCell, Params, SplitCell


class Marked(NamedTuple):
    """A sequence and what is said of its steps.

    Attributes:
        x: [T, B, I], or what the cell takes.
        valid: bool [T, B], the steps that count; None if all do.
        reset: bool [T, B], the steps before which the carry begins anew; None if it
            never does. The first step's is not looked at: give the initial carry.
        ends: bool [T, B], `reset` of the step after; None with it.
    """

    x: Any
    valid: jax.Array | None = None
    reset: jax.Array | None = None
    ends: jax.Array | None = None


class Masked(Cell[Any]):
    """What `masked` returns: a cell whose input is `Marked`."""

    cell: Any

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns the cell's own."""
        return self.cell.init(key, in_features)

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns the cell's own."""
        return self.cell.initial(batch, dtype)

    def project(self, params: Params, x: Any) -> Marked:
        """Returns the cell's own of x, zero where it is not valid, and the marks."""
        inner = x.x
        if x.valid is not None:
            inner = choose(x.valid, inner, jax.tree.map(jnp.zeros_like, inner))
        return x._replace(x=self.cell.project(params, inner))


@dataclasses.dataclass(frozen=True)
class _MaskedCell(Masked):
    cell: Any

    def step(self, params: Params, carry: Any, u: Marked) -> tuple[Any, Any]:
        """Returns the next carry and the output."""
        return _after(self.cell, u, carry, *self.cell.step(params, carry, u.x))


@dataclasses.dataclass(frozen=True)
class _MaskedSplit(Masked, SplitCell[Any]):
    cell: Any

    def recur(self, params: Params, carry: Any) -> Any:
        """Returns the cell's own."""
        return self.cell.recur(params, carry)

    def update(self, params: Params, carry: Any, u: Marked, r: Any) -> tuple[Any, Any]:
        """Returns the next carry and the output."""
        return _after(self.cell, u, carry, *self.cell.update(params, carry, u.x, r))


@dataclasses.dataclass(frozen=True)
class _MaskedLinear(Masked, LinearCell):
    cell: Any

    def coefficients(self, params: Params, u: Marked) -> tuple[jax.Array, jax.Array]:
        """Returns the cell's own; 1 and 0 where a step does not count."""
        a, b = self.cell.coefficients(params, u.x)
        if u.valid is not None:
            a = choose(u.valid, a, jnp.ones_like(a))
            b = choose(u.valid, b, jnp.zeros_like(b))
        if u.reset is not None:
            start = self.cell.initial((), a.dtype)
            b = choose(u.reset, a * start + b, b)
            a = choose(u.reset, jnp.zeros_like(a), a)
        return a, b

    def readout(self, params: Params, h: jax.Array, u: Marked) -> Any:
        """Returns the cell's own, zero where a step does not count."""
        return _shown(u, self.cell.readout(params, h, u.x))


def masked(cell: Cell[Any]) -> Masked:
    """Returns the cell with `Marked` input, of the same structure as `cell`."""
    if isinstance(cell, SplitCell):
        return _MaskedSplit(cell)
    if isinstance(cell, LinearCell):
        return _MaskedLinear(cell)
    return _MaskedCell(cell)


def choose(where: jax.Array, yes: Any, no: Any) -> Any:
    """Returns leaves of `yes` or `no`, by marks for their first axes."""

    def leaf(yes, no):
        return jnp.where(
            where.reshape(where.shape + (1,) * (yes.ndim - where.ndim)), yes, no
        )

    return jax.tree.map(leaf, yes, no)


def _after(cell, marks, before, after, y):
    """Returns the carry and the output that the marks leave of a step's."""
    if marks.valid is not None:
        after = choose(marks.valid, after, before)
    if marks.ends is not None:
        start = cell.initial((), jax.tree.leaves(after)[0].dtype)
        after = choose(marks.ends, jax.tree.map(_like, start, after), after)
    return after, _shown(marks, y)


def _like(start, leaf):
    return jnp.broadcast_to(start, leaf.shape).astype(leaf.dtype)


def _shown(marks, y):
    if marks.valid is None:
        return y
    return choose(marks.valid, y, jax.tree.map(jnp.zeros_like, y))
