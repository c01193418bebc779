"""Rows of different lengths, masks and segments: any cell on its engines, done right.

carry, y = run(Deferred(), cell, params, carry, x, lengths=lengths)
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from rnnlab.cell import Cell, Params
from rnnlab.engines import Engine
from rnnlab.engines.engine import batch_axes, shape_of
from rnnlab.wrappers.masked import Marks, masked
from rnnlab.wrappers.wrapped import Marked, with_noise


def run(
    engine: Engine,
    cell: Cell[Any],
    params: Params,
    carry: Any,
    x: Any,
    *,
    lengths: jax.Array | None = None,
    valid: jax.Array | None = None,
    reset: jax.Array | None = None,
    key: jax.Array | None = None,
) -> tuple[Any, Any]:
    """Returns the last carry and y, as the engine does, for the steps that count.

    At the other steps the carry stays and y is zero, and what x holds there, NaN
    included, reaches nothing. A row of length zero gives its carry back.

    Args:
        engine: how the steps are executed.
        cell: what a step computes.
        params: its parameters.
        carry: the state before the first step.
        x: [T, B, I], any number of batch axes.
        lengths: int [B], the steps of each row that count, from the first; 0 to T.
        valid: bool [T, B], the steps that count; not with `lengths`.
        reset: bool [T, B], steps before which the carry is `cell.start` again: the
            first of each segment of a row. In a LinearCell that is a factor of zero,
            which a NaN or infinity of the segment before outlasts.
        key: draws the masks of the wrappers that are random in training (dropout,
            zoneout), for all steps before the loop; None to evaluate.

    Raises:
        ValueError: a mark of another shape or dtype; lengths outside 0 to T, where
            they are known while tracing; both `lengths` and `valid`.
    """
    steps, *axes = shape_of(x)
    rows = tuple(axes[: batch_axes(cell, carry)])
    if lengths is not None:
        if valid is not None:
            raise ValueError(
                "A sequence takes lengths or valid, got both; combine them as"
                " valid & before(lengths, T)."
            )
        _check("lengths", lengths, rows, jnp.integer)
        _check_range(lengths, steps)
        valid = before(lengths, steps)
    for name, marks in (("valid", valid), ("reset", reset)):
        if marks is not None:
            _check(name, marks, (steps, *rows), jnp.bool)
    if key is not None:
        x = with_noise(cell, key, carry, x, steps)
    if valid is None and reset is None:
        return engine(cell, params, carry, x)
    return engine(masked(cell), params, carry, Marked(x, Marks(valid, reset)))


def before(lengths: jax.Array, steps: int) -> jax.Array:
    """Returns which steps come before each row's length: [B] -> bool [T, B]."""
    t = jnp.arange(steps).reshape(steps, *(1,) * jnp.ndim(lengths))
    return t < lengths


def flip(x: Any, lengths: jax.Array | None = None) -> Any:
    """Returns the steps of each row in reverse, [T, B, ...]; those after it stay.

    Args:
        x: leaves [T, B, ...].
        lengths: int [B]; None for whole rows.

    Raises:
        ValueError: lengths of another shape or dtype, or outside 0 to T.
    """
    if lengths is None:
        return jax.tree.map(lambda leaf: jnp.flip(leaf, 0), x)
    steps, *axes = shape_of(x)
    _check("lengths", lengths, tuple(axes[: jnp.ndim(lengths)]), jnp.integer)
    _check_range(lengths, steps)

    def leaf(leaf):
        t = jnp.arange(steps).reshape(steps, *(1,) * jnp.ndim(lengths))
        index = jnp.where(before(lengths, steps), lengths - 1 - t, t)
        index = index.reshape(index.shape + (1,) * (leaf.ndim - index.ndim))
        return jnp.take_along_axis(leaf, index, axis=0)

    return jax.tree.map(leaf, x)


def _check(name, marks, shape, kind):
    """Raises unless the marks have the shape, and a dtype of the kind."""
    got = marks if isinstance(marks, jax.Array) else np.asarray(marks)
    fits = jnp.issubdtype(got.dtype, kind) and got.dtype.isnative
    if got.shape != shape or not fits:
        raise ValueError(
            f"{name} must be {kind.__name__.strip('_')} {list(shape)}, got"
            f" {got.dtype}{list(got.shape)}; time is the first axis of x and of marks."
        )


def _check_range(lengths, steps):
    """Raises for lengths outside 0 to T, where their values are known."""
    if isinstance(lengths, Tracer):
        return
    known = np.asarray(lengths)  # a jax.Array would become a tracer within a jit
    low, high = int(known.min(initial=0)), int(known.max(initial=0))
    if low < 0 or high > steps:
        raise ValueError(
            f"lengths must be 0 to T={steps}, got {low} to {high}; cut the lengths or"
            f" pad x."
        )
