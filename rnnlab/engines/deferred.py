"""One backward pass for every SplitCell, with its weight gradient after the loop.

The backward loop of a plain scan adds the gradient of the recurrent weights to a
carry at each step: T small products, each of which reads and writes all weights.
Here the backward loop only stacks the cotangents of the recurrent product, and the
weight gradient is one product over all steps and rows after it.

No backward is written by hand: `update` and `recur` are pulled back by `jax.vjp`.
Two other choices were tried at 128 to 650 units: to keep only the transcendental
values of `update` took the same time within 6 % and a fifth less memory, but needs
JAX's internals; to keep nothing and compute `update` again took a tenth longer.

References:
    The rearrangement is that of Appleyard, Kocisky, Blunsom, Optimizing performance
    of recurrent neural networks on GPUs, 2016, https://arxiv.org/abs/1604.01946
"""

import dataclasses
import functools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import partial_eval as pe

from rnnlab.cell import Cell, Params, SplitCell
from rnnlab.engines import columns
from rnnlab.engines.engine import (
    Carry,
    batch_axes,
    merge,
    project,
    ready,
    reverse_only,
    spread,
)
from rnnlab.engines.once import Once


@dataclasses.dataclass(frozen=True)
class Deferred:
    """Runs a SplitCell; for one reverse-mode derivative, the fastest on a CPU."""

    runs: ClassVar[type[Cell[Any]]] = SplitCell

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`.

        Raises:
            TypeError: the cell is not a SplitCell, or it is called within forward-mode
                differentiation.
        """
        params = ready(self, cell, params, carry, x)
        reverse_only(self, params, carry, x)
        u = project(cell, params, carry, x)
        return _run(cell, params, carry, *_apart(u, _has_derivative))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(cell, params, carry, u, marks):
    """Returns the last carry and y; what is differentiated by the two below.

    `marks` holds the leaves of u that have no derivative, such as masks.
    """
    recur = columns.recur(cell, params, carry)

    def step(carry, inputs):
        u_t = _together(*inputs)
        r = recur(cell.seen(params, carry, u_t))
        return cell.update(params, carry, u_t, r)

    return lax.scan(step, carry, (u, marks))


def _forward(cell, params, carry, u, marks):
    """Returns the same, and what each step left behind.

    That is the carry as the product saw it, and the pullbacks of `update` and `seen`;
    none of `seen` where it changes nothing.
    """
    parts, changes = _reads(cell, params, carry, _together(u, marks))
    recur = columns.recur(cell, params, carry)

    def step(carry, inputs):
        u_t, marks_t = inputs

        def look(parts, carry, u_t):
            return cell.seen(_replace(params, parts), carry, _together(u_t, marks_t))

        def update(parts, carry, u_t, r):
            u_t = _together(u_t, marks_t)
            return cell.update(_replace(params, parts), carry, u_t, r)

        seen, pull_seen = carry, None
        if changes:
            seen, pull_seen = jax.vjp(look, parts, carry, u_t)
        r = recur(seen)
        (after, y), pull_update = jax.vjp(update, parts, carry, u_t, r)
        return after, (y, Once.of((seen, pull_seen, pull_update)))

    last, (y, saved) = lax.scan(step, carry, (u, marks))
    return (last, y), (params, parts, saved)


def _backward(cell, residuals, cotangents):
    """Returns the cotangents of params, the first carry and u; marks have none."""
    params, parts, saved = residuals
    d_last, d_y = cotangents
    pull_recur = columns.pull_recur(cell, params, d_last)

    def step(d, inputs):
        d_after, d_parts = d
        saved_t, d_y_t = inputs
        seen, pull_seen, pull_update = saved_t.tree()
        d_parts_t, d_carry, d_u, d_r = pull_update((d_after, d_y_t))
        d_seen = pull_recur(seen, d_r)
        if pull_seen is None:
            d_carry = _add(d_carry, d_seen)
        else:
            of_update = d_parts_t, d_carry, d_u
            d_parts_t, d_carry, d_u = _add(of_update, pull_seen(d_seen))
        return (d_carry, _add(d_parts, d_parts_t)), Once.of((d_u, d_r))

    d_parts = jax.tree.map(jnp.zeros_like, parts)
    (d_carry, d_parts), d = lax.scan(
        step, (d_last, d_parts), (saved, d_y), reverse=True
    )
    d_u, d_r = d.tree()
    seen, _, _ = saved.tree()
    if batch_axes(cell, d_last) and not spread((seen, d_r)):
        seen, d_r = merge((seen, d_r))
    if columns.pays(cell, params, d_last):
        seen = columns.upright(seen)
    _, pullback = jax.vjp(lambda params: cell.recur(params, seen), params)
    (d_params,) = pullback(d_r)
    leaves = jax.tree.leaves(d_params)
    return (
        _replace(d_params, {i: leaves[i] + d for i, d in d_parts.items()}),
        d_carry,
        d_u,
        None,
    )


_run.defvjp(_forward, _backward)


def _has_derivative(leaf):
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


def _apart(tree, holds):
    """Returns the tree twice: with the leaves that hold, and with the others."""
    yes = jax.tree.map(lambda leaf: leaf if holds(leaf) else None, tree)
    return yes, jax.tree.map(lambda leaf: None if holds(leaf) else leaf, tree)


def _together(tree, other):
    """Returns the tree that `_apart` took apart."""
    return jax.tree.map(
        lambda leaf, second: second if leaf is None else leaf,
        tree,
        other,
        is_leaf=lambda leaf: leaf is None,
    )


def _add(tree, other):
    return jax.tree.map(lax.add, tree, other)


def _reads(cell, params, carry, u):
    """Returns what `update` and `seen` need of params, and whether `seen` does a thing.

    The leaves of params that they use, by their number. The others get no cotangent
    from them, and none is carried through the loop: for an LSTM that would be zeros of
    the size of all weights, added at each step.
    """
    u_0 = jax.tree.map(lambda leaf: leaf[0], u)
    leaves = jax.tree.leaves(params)
    seen = jax.make_jaxpr(cell.seen)(params, carry, u_0).jaxpr
    r = jax.eval_shape(
        cell.recur, params, jax.eval_shape(cell.seen, params, carry, u_0)
    )
    update = jax.make_jaxpr(cell.update)(params, carry, u_0, r).jaxpr
    # Used, not named: a cast of all params reads them, and most of it comes to nothing.
    used = [pe.dce_jaxpr(jaxpr, True)[1] for jaxpr in (seen, update)]
    parts = {i: leaf for i, leaf in enumerate(leaves) if used[0][i] or used[1][i]}
    held = seen.invars[len(leaves) : len(leaves) + len(seen.outvars)]
    return parts, seen.outvars != held


def _replace(params, parts):
    """Returns params with the leaves numbered in `parts` taken from there."""
    leaves, structure = jax.tree.flatten(params)
    return jax.tree.unflatten(
        structure, [parts.get(i, p) for i, p in enumerate(leaves)]
    )
