"""Steps that do not count, and sequences that begin anew within a row.

Where `valid` is false the carry stays as it is and y is zero; whatever x holds there,
NaN included, reaches no value and no gradient. Where `reset` is true the carry is
that of the cell's start before the step.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.wrappers.wrapped import Rule, Wrapped, choose, wrap


class Marks(NamedTuple):
    """What is said of the steps.

    Attributes:
        valid: bool [T, B], the steps that count; None if all do.
        reset: bool [T, B], the steps before which the carry begins anew; None if it
            never does.
    """

    valid: jax.Array | None = None
    reset: jax.Array | None = None


@dataclasses.dataclass(frozen=True)
class Mask(Rule):
    """Skips steps and resets the carry as `Marks` say."""

    nothing: ClassVar[Marks] = Marks()

    def clean(self, x: Any, marks: Marks) -> Any:
        """Returns x, zero where it does not count."""
        if marks.valid is None:
            return x
        return choose(marks.valid, x, jax.tree.map(jnp.zeros_like, x))

    def enter(self, cell: Any, params: Params, carry: Any, marks: Marks) -> Any:
        """Returns the start where a segment begins."""
        if marks.reset is None:
            return carry
        return choose(marks.reset, _start(cell, params, carry), carry)

    def leave(self, before: Any, after: Any, y: Any, marks: Marks) -> tuple[Any, Any]:
        """Returns the carry of before, and zeros, where the step does not count."""
        if marks.valid is None:
            return after, y
        return choose(marks.valid, after, before), self.show(after, y, marks)

    def coefficients(
        self, cell: Any, params: Params, a: jax.Array, b: jax.Array, marks: Marks
    ) -> tuple[jax.Array, jax.Array]:
        """Returns 1 and 0 where a step does not count; a of 0 where one begins."""
        if marks.valid is not None:
            a = choose(marks.valid, a, jnp.ones_like(a))
            b = choose(marks.valid, b, jnp.zeros_like(b))
        if marks.reset is not None:
            b = choose(marks.reset, a * _start(cell, params, b) + b, b)
            a = choose(marks.reset, jnp.zeros_like(a), a)
        return a, b

    def show(self, h: Any, y: Any, marks: Marks) -> Any:
        """Returns y, zero where a step does not count."""
        if marks.valid is None:
            return y
        return choose(marks.valid, y, jax.tree.map(jnp.zeros_like, y))


def masked(cell: Cell[Any]) -> Wrapped:
    """Returns the cell with `Marked` input whose marks are `Marks`."""
    return wrap(cell, Mask())


def _start(cell, params, carry):
    """Returns the cell's start in the shapes and dtypes of `carry`."""
    start = cell.start(params, (), jax.tree.leaves(carry)[0].dtype)
    return jax.tree.map(
        lambda leaf, like: jnp.broadcast_to(leaf, like.shape).astype(like.dtype),
        start,
        carry,
    )
