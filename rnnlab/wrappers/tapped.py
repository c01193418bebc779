"""A zero added to the carry that each step finds: what a loss owes to it, it shows.

The gradient of a loss by that zero is the gradient by the carry itself, at every step
and on every engine. `rnnlab.probes.gradients` makes the zeros and reads them.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.wrappers.wrapped import Rule, Wrapped, wrap


@dataclasses.dataclass(frozen=True)
class Tap(Rule):
    """Adds the marks, leaves as the carry's, to the carry before each step."""

    def enter(self, cell: Any, params: Params, carry: Any, marks: Any) -> Any:
        """Returns the carry with the marks added."""
        return carry if marks is None else jax.tree.map(jnp.add, carry, marks)

    def coefficients(
        self, cell: Any, params: Params, a: jax.Array, b: jax.Array, marks: Any
    ) -> tuple[jax.Array, jax.Array]:
        """Returns a and b of h -> a (h + mark) + b."""
        return (a, b) if marks is None else (a, a * marks + b)


def tapped(cell: Cell[Any]) -> Wrapped:
    """Returns the cell with `Marked` input whose marks are added to the carry."""
    return wrap(cell, Tap())
