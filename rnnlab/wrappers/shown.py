"""The carry after each step, shown beside the output."""

import dataclasses
from typing import Any, NamedTuple

import jax

from rnnlab.cell import Cell
from rnnlab.wrappers.wrapped import Rule, Wrapped, wrap


class Shown(NamedTuple):
    """What a step of a shown cell puts out.

    Attributes:
        y: the cell's own output, [T, B, H].
        carry: the carry after the step, leaves [T, B, ...].
    """

    y: Any
    carry: Any


@dataclasses.dataclass(frozen=True)
class Show(Rule):
    """Puts the carry out with the output."""

    def leave(self, before: Any, after: Any, y: Any, marks: Any) -> tuple[Any, Shown]:
        """Returns the carry after the step, and both."""
        return after, Shown(y, after)

    def show(self, h: jax.Array, y: Any, marks: Any) -> Shown:
        """Returns both."""
        return Shown(y, h)


def shown(cell: Cell[Any]) -> Wrapped:
    """Returns the cell with `Shown` as its output; outside all other wrappers."""
    return wrap(cell, Show())
