"""A step's product over columns instead of rows, as a CPU runs it faster.

A step multiplies few rows by many weights, [B, H] x [H, G]. XLA's CPU product copies
its right operand into blocks at each call: at each step, all the weights. As its
transpose, [G, H] x [H, B], it reads the weights as they lie and copies the rows, which
alone takes 0.6 to 0.9 of the time for up to 64 rows.

The result is turned back before it is used. To run the whole step over columns would
save that, but inputs and outputs would have to be turned, and nothing was gained.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import partial_eval as pe

from rnnlab.cell import Params, SplitCell
from rnnlab.engines.engine import batch_axes, spread

# Below, there is nothing to gain, and XLA's compiler aborts on small products of such
# layouts under `vmap` (jaxlib 0.10.2): seen for 9 entries, and for 320 multiplications.
LEAST_ENTRIES, LEAST_PRODUCT = 32, 4096


def pays(cell: SplitCell[Any], params: Params, carry: Any) -> bool:
    """Returns whether the recurrent product is one of rows and a matrix, on a CPU.

    Not where it has no matrix, a small one or several in one array, where the batch has
    not one axis, or where it lies in parts on several devices. Nor for a single row,
    whose product with a matrix reads it as it lies: to turn it was a copy at each step.
    """
    if jax.default_backend() != "cpu" or batch_axes(cell, carry) != 1 or spread(carry):
        return False
    if any(x.shape[0] == 1 for x in jax.tree.leaves(carry)):
        return False
    recur = jax.make_jaxpr(cell.recur)(params, carry).jaxpr
    read = pe.dce_jaxpr(recur, True)[1]
    leaves = jax.tree.leaves((params, carry))
    if any(jnp.ndim(x) > 2 for x, used in zip(leaves, read, strict=True) if used):
        return False
    if not any(equation.primitive is lax.dot_general_p for equation in recur.eqns):
        return False
    weights = zip(jax.tree.leaves(params), read, strict=False)  # before the carry's
    return sum(x.size for x, used in weights if used) >= LEAST_ENTRIES


def recur(
    cell: SplitCell[Any], params: Params, carry: Any
) -> Callable[[Any], jax.Array]:
    """Returns `cell.recur` of these params, for the steps of a loop."""
    if not pays(cell, params, carry):
        return lambda seen: cell.recur(params, seen)
    turned = jax.tree.map(_held, params)
    return _by_columns(lambda seen: cell.recur(jax.tree.map(_turn, turned), seen))


def pull_recur(
    cell: SplitCell[Any], params: Params, carry: Any
) -> Callable[[Any, Any], Any]:
    """Returns what takes `seen` and the cotangent of `recur` to that of `seen`."""

    def pull(seen, d_r):
        _, pullback = jax.vjp(lambda seen: cell.recur(params, seen), seen)
        return pullback(d_r)[0]

    return _by_columns(pull) if pays(cell, params, carry) else pull


def upright(tree: Any) -> Any:
    """Returns the same, with matrices laid out by columns in memory.

    For the left operand of a product over its rows, as a weight gradient is. That of a
    small product stays as it is.
    """

    def leaf(leaf):
        small = leaf.size * leaf.shape[-1] < LEAST_PRODUCT
        return leaf if small else _turn(_held(leaf))

    return jax.tree.map(leaf, tree)


def _held(leaf):
    """Returns a matrix turned, behind a barrier: XLA would take two turns for none."""
    return lax.optimization_barrier(leaf.T) if jnp.ndim(leaf) == 2 else leaf


def _turn(leaf):
    return leaf.T if jnp.ndim(leaf) == 2 else leaf


def _by_columns(f):
    """Returns f, a map of rows [B, ...] to rows, computed over columns [..., B]."""
    over = jax.vmap(f, in_axes=-1, out_axes=-1)

    def run(*rows):
        columns = over(*_moved(rows, 0, -1))
        return _moved(lax.optimization_barrier(columns), -1, 0)

    return run


def _moved(tree, axis, to):
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, axis, to), tree)
