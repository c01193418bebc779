"""How a cell is changed by a rule, whatever its structure, and keeps its structure.

A rule says what is done to the carry before a step, to what the recurrent product
sees of it, and to what the step leaves; for a linear cell, the same in terms of its
coefficients. What a rule is told of each step, marks or masks, rides in the input,
so that it is made once for all steps, outside the time loop.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, LinearCell, Params, SplitCell


class Marked(NamedTuple):
    """A sequence, and what a wrapper's rule is told of its steps.

    Attributes:
        x: [T, B, I], or what the wrapped cell takes.
        marks: leaves [T, B, ...], as the rule knows them; None for none.
    """

    x: Any
    marks: Any = None


class Rule:
    """What a wrapper changes of a cell: as it stands here, nothing.

    A rule is a frozen dataclass of its knobs. `marks` are those of one step, except in
    `clean`; `params` are those of the cell inside, except in `own`, `prepare`, `start`.

    Attributes:
        nothing: the marks of an input that comes without.
        random: whether its marks are drawn in training.
    """

    nothing: ClassVar[Any] = None
    random: ClassVar[bool] = False

    def init(self, cell: Any, key: jax.Array, in_features: int) -> Params:
        """Draws the parameters."""
        return cell.init(key, in_features)

    def own(self, params: Params) -> Params:
        """Returns the parameters of the cell inside."""
        return params

    def prepare(self, cell: Any, params: Params) -> Params:
        """Returns the parameters with those of the cell inside prepared."""
        return cell.prepare(params)

    def start(self, cell: Any, params: Params, batch: Any, dtype: Any) -> Any:
        """Returns the carry that a sequence starts from."""
        return cell.start(self.own(params), batch, dtype)

    def draw(self, key: jax.Array, carry: Any, steps: int) -> Any:
        """Returns the marks of `steps` steps, where they are random."""
        return self.nothing

    def clean(self, x: Any, marks: Any) -> Any:
        """Returns what of the input is projected."""
        return x

    def enter(self, cell: Any, params: Params, carry: Any, marks: Any) -> Any:
        """Returns the carry that the step finds."""
        return carry

    def seen(self, carry: Any, marks: Any) -> Any:
        """Returns what the recurrent product alone sees of it."""
        return carry

    def leave(self, before: Any, after: Any, y: Any, marks: Any) -> tuple[Any, Any]:
        """Returns what the step leaves: the carry after it and the output."""
        return after, y

    def coefficients(
        self, cell: Any, params: Params, a: jax.Array, b: jax.Array, marks: Any
    ) -> tuple[jax.Array, jax.Array]:
        """Returns `enter` and `leave` in terms of h -> a h + b."""
        return a, b

    def show(self, h: jax.Array, y: Any, marks: Any) -> Any:
        """Returns the output of a linear cell's step, whose new state is `h`."""
        return y


class Wrapper(Cell[Any]):
    """A cell made of another.

    Attributes:
        cell: the one inside.
    """

    cell: Any

    def with_noise(self, key: jax.Array, carry: Any, x: Any, steps: int) -> Any:
        """Returns x as the wrappers inside want it; see `with_noise`."""
        return with_noise(self.cell, key, carry, x, steps)


class Wrapped(Wrapper):
    """A cell changed by a rule; takes `Marked` input, or x alone for no marks.

    Attributes:
        cell: what is changed.
        rule: how.
    """

    cell: Any
    rule: Rule

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns the parameters of the cell and of the rule."""
        return self.rule.init(self.cell, key, in_features)

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns the cell's own."""
        return self.cell.initial(batch, dtype)

    def start(self, params: Params, batch: Any, dtype: Any = jnp.float32) -> Any:
        """Returns the carry that a sequence starts from."""
        return self.rule.start(self.cell, params, batch, dtype)

    def prepare(self, params: Params) -> Params:
        """Returns what the steps use of the parameters."""
        return self.rule.prepare(self.cell, params)

    def project(self, params: Params, x: Any) -> Marked:
        """Returns the cell's own projection, and the marks."""
        x, marks = x if isinstance(x, Marked) else Marked(x, self.rule.nothing)
        clean = self.rule.clean(x, marks)
        return Marked(self.cell.project(self.rule.own(params), clean), marks)

    def with_noise(self, key: jax.Array, carry: Any, x: Any, steps: int) -> Marked:
        """Returns x with the marks of this rule and of all wrappers inside."""
        own, below = jax.random.split(key)
        inner = with_noise(self.cell, below, carry, x, steps)
        return Marked(inner, self.rule.draw(own, carry, steps))


@dataclasses.dataclass(frozen=True)
class WrappedCell(Wrapped):
    """A cell of no special structure, changed by a rule."""

    cell: Any
    rule: Rule

    def step(self, params: Params, carry: Any, u: Marked) -> tuple[Any, Any]:
        """Returns the next carry and the output."""
        own = self.rule.own(params)
        before = self.rule.enter(self.cell, own, carry, u.marks)
        after, y = self.cell.step(own, before, u.x)
        return self.rule.leave(before, after, y, u.marks)


@dataclasses.dataclass(frozen=True)
class WrappedSplit(Wrapped, SplitCell[Any]):
    """A SplitCell changed by a rule."""

    cell: Any
    rule: Rule

    def seen(self, params: Params, carry: Any, u: Marked) -> Any:
        """Returns the carry as the recurrent product sees it."""
        own = self.rule.own(params)
        before = self.rule.enter(self.cell, own, carry, u.marks)
        seen = self.cell.seen(own, before, u.x)
        return self.rule.seen(seen, u.marks)

    def recur(self, params: Params, carry: Any) -> Any:
        """Returns the cell's own."""
        return self.cell.recur(self.rule.own(params), carry)

    def update(self, params: Params, carry: Any, u: Marked, r: Any) -> tuple[Any, Any]:
        """Returns the next carry and the output."""
        own = self.rule.own(params)
        before = self.rule.enter(self.cell, own, carry, u.marks)
        after, y = self.cell.update(own, before, u.x, r)
        return self.rule.leave(before, after, y, u.marks)


@dataclasses.dataclass(frozen=True)
class WrappedLinear(Wrapped, LinearCell):
    """A LinearCell changed by a rule."""

    cell: Any
    rule: Rule

    def coefficients(self, params: Params, u: Marked) -> tuple[jax.Array, jax.Array]:
        """Returns a and b of h -> a h + b as the rule leaves them."""
        own = self.rule.own(params)
        a, b = self.cell.coefficients(own, u.x)
        return self.rule.coefficients(self.cell, own, a, b, u.marks)

    def readout(self, params: Params, h: jax.Array, u: Marked) -> Any:
        """Returns the output of a step whose new state is `h`."""
        y = self.cell.readout(self.rule.own(params), h, u.x)
        return self.rule.show(h, y, u.marks)


def wrap(cell: Cell[Any], rule: Rule) -> Wrapped:
    """Returns the cell changed by the rule, of the same structure as `cell`."""
    if isinstance(cell, SplitCell):
        return WrappedSplit(cell, rule)
    if isinstance(cell, LinearCell):
        return WrappedLinear(cell, rule)
    return WrappedCell(cell, rule)


def with_noise(cell: Cell[Any], key: jax.Array, carry: Any, x: Any, steps: int) -> Any:
    """Returns x with the random marks of all wrappers around `cell`.

    Args:
        cell: a wrapped cell; any other takes x as it is.
        key: the same key draws the same masks, whatever the engine.
        carry: as the cell takes it: masks have the shapes of its leaves.
        x: the input of the cell inside all wrappers.
        steps: T.
    """
    return cell.with_noise(key, carry, x, steps) if isinstance(cell, Wrapper) else x


def inside(cell: Cell[Any]) -> Cell[Any]:
    """Returns the cell inside all wrappers around it."""
    return inside(cell.cell) if isinstance(cell, Wrapper) else cell


def is_random(cell: Cell[Any]) -> bool:
    """Returns whether training draws masks for the cell or one inside it."""
    if not isinstance(cell, Wrapper):
        return False
    own = isinstance(cell, Wrapped) and cell.rule.random
    return own or is_random(cell.cell)


def choose(where: jax.Array, yes: Any, no: Any) -> Any:
    """Returns leaves of `yes` or `no`, by marks for their first axes."""

    def leaf(yes, no):
        return jnp.where(
            where.reshape(where.shape + (1,) * (yes.ndim - where.ndim)), yes, no
        )

    return jax.tree.map(leaf, yes, no)
