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

from rnnlab.cell import Cell, Params, SplitCell
from rnnlab.engines.engine import Carry, batch_axes, check, merge, project, spread
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
            TypeError: the cell is not a SplitCell.
        """
        check(self, cell, params, carry, x)
        u = project(cell, params, carry, x)
        return _run(cell, params, carry, *_apart(u, _has_derivative))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(cell, params, carry, u, marks):
    """Returns the last carry and y; what is differentiated by the two below.

    `marks` holds the leaves of u that have no derivative, such as masks.
    """

    def step(carry, u_t):
        return cell.step(params, carry, _together(*u_t))

    return lax.scan(step, carry, (u, marks))


def _forward(cell, params, carry, u, marks):
    """Returns the same, and for each step its carry and what `update` left behind."""
    parts = _parts_of_update(cell, params, carry, _together(u, marks))

    def step(carry, inputs):
        u_t, marks_t = inputs

        def update(parts, carry, u_t, r):
            u_t = _together(u_t, marks_t)
            return cell.update(_replace(params, parts), carry, u_t, r)

        r = cell.recur(params, carry)
        (after, y), pullback = jax.vjp(update, parts, carry, u_t, r)
        return after, (y, Once.of((carry, pullback)))

    last, (y, saved) = lax.scan(step, carry, (u, marks))
    return (last, y), (params, parts, saved)


def _backward(cell, residuals, cotangents):
    """Returns the cotangents of params, the first carry and u; marks have none."""
    params, parts, saved = residuals
    d_last, d_y = cotangents

    def step(d, inputs):
        d_after, d_parts = d
        saved_t, d_y_t = inputs
        carry, pullback = saved_t.tree()
        d_parts_t, d_carry, d_u, d_r = pullback((d_after, d_y_t))
        _, recur_pullback = jax.vjp(lambda carry: cell.recur(params, carry), carry)
        d_carry = jax.tree.map(lax.add, d_carry, recur_pullback(d_r)[0])
        d_parts = jax.tree.map(lax.add, d_parts, d_parts_t)
        return (d_carry, d_parts), Once.of((d_u, d_r))

    d_parts = jax.tree.map(jnp.zeros_like, parts)
    (d_carry, d_parts), d = lax.scan(
        step, (d_last, d_parts), (saved, d_y), reverse=True
    )
    d_u, d_r = d.tree()
    carries, _ = saved.tree()
    if batch_axes(cell, d_last) and not spread((carries, d_r)):
        carries, d_r = merge((carries, d_r))
    _, pullback = jax.vjp(lambda params: cell.recur(params, carries), params)
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


def _parts_of_update(cell, params, carry, u):
    """Returns the leaves of params that `update` reads, by their number.

    The others get no cotangent from it, and none is carried through the loop: for an
    LSTM that would be zeros of the size of all weights, added at each step.
    """
    u_0 = jax.tree.map(lambda leaf: leaf[0], u)
    r = jax.eval_shape(cell.recur, params, carry)
    leaves = jax.tree.leaves(params)
    jaxpr = jax.make_jaxpr(cell.update)(params, carry, u_0, r).jaxpr
    read = {id(v) for equation in jaxpr.eqns for v in equation.invars}
    inputs = zip(leaves, jaxpr.invars[: len(leaves)], strict=True)
    return {i: leaf for i, (leaf, v) in enumerate(inputs) if id(v) in read}


def _replace(params, parts):
    """Returns params with the leaves numbered in `parts` taken from there."""
    leaves, structure = jax.tree.flatten(params)
    return jax.tree.unflatten(
        structure, [parts.get(i, p) for i, p in enumerate(leaves)]
    )
