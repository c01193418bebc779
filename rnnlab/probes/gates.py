"""What a cell does while it runs: its gates, what it keeps, how large its state is.

    seen = watch(cell, params, carry, x)
    saturation(seen.activations)["sigmoid 1"].high  # an LSTM's forget gate: open
    forget_time(seen.kept["c"].mean((0, 1)))  # in steps, of each unit

No cell is written for this: the activations are found in the step as JAX traces it.

References:
    Karpathy, Johnson, Fei-Fei, Visualizing and understanding recurrent networks, 2015,
    https://arxiv.org/abs/1506.02078: saturation, below 0.1 and above 0.9.
    Tallec, Ollivier, Can recurrent neural networks warp time?, 2018,
    https://arxiv.org/abs/1804.11188: a gate as the inverse of a time.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, LinearCell, Params, SplitCell
from rnnlab.probes.activations import noting
from rnnlab.probes.gradients import differentiable, over_units

EDGES = {"sigmoid": (0.1, 0.9), "tanh": (-0.9, 0.9)}


class Watched(NamedTuple):
    """A run of a cell, step by step.

    Attributes:
        activations: what each sigmoid and tanh of the step gave, [T, B, ...], by name:
            "sigmoid 0", "tanh 0" and so on, in the order of the program; those that
            `cell.project` has, which see x alone, are "sigmoid 0 of x". Where a cell
            writes 1 - f as sigmoid(-a), that is what is found.
        kept: what of each leaf of the carry was kept, [T, B, ...]; see `kept`.
        carries: after each step, leaves [T, B, ...].
    """

    activations: dict[str, jax.Array]
    kept: dict[str, jax.Array]
    carries: Any


class Saturation(NamedTuple):
    """The share of steps at which a unit was near an end of its range: [B, ...] each.

    Attributes:
        low: of a sigmoid, those below 0.1; of a tanh, those below -0.9.
        high: those above 0.9.
    """

    low: jax.Array
    high: jax.Array


def watch(cell: Cell[Any], params: Params, carry: Any, x: Any) -> Watched:
    """Returns what a cell did at each step of a sequence.

    Args:
        cell: any cell, wrapped or not.
        params: its parameters.
        carry: carry_0, of any batch axes.
        x: [T, B, I], or what else the cell takes.

    Raises:
        TypeError: a leaf of the carry is of whole numbers, which have no derivative.
    """
    differentiable(cell, carry)
    own = cell.prepare(params)
    u, of_x = noting(lambda x: cell.project(own, x))(x)
    step = noting(lambda carry, u_t: cell.step(own, carry, u_t))

    def one(carry, u_t):
        (after, _), activations = step(carry, u_t)
        return after, Watched(activations, kept(cell, own, carry, u_t), after)

    _, found = jax.lax.scan(one, carry, u)
    activations = {f"{name} of x": values for name, values in of_x.items()}
    return found._replace(activations=found.activations | activations)


def kept(cell: Cell[Any], params: Params, carry: Any, u: Any) -> dict[str, jax.Array]:
    """Returns |d new / d old| of each leaf of the carry in one step, unit by unit.

    The recurrent product is held fixed: that is f for the c of an LSTM, z for a GRU,
    |a| for a `LinearCell`. Other cells than these and `SplitCell` do not say what of
    a change goes through a product, and get no entry.

    Args:
        cell: any cell.
        params: what `cell.prepare` returns.
        carry: before the step.
        u: the projected input of the step.
    """
    leaves, structure = jax.tree.flatten(carry)
    if isinstance(cell, LinearCell):
        a, _ = cell.coefficients(params, u)
        return by_leaf(jnp.abs(jnp.broadcast_to(a, carry.shape)))
    if not isinstance(cell, SplitCell):
        return {}
    r = cell.recur(params, cell.seen(params, carry, u))

    def moved(k):
        def new(leaf):
            before = structure.unflatten([*leaves[:k], leaf, *leaves[k + 1 :]])
            return jax.tree.leaves(cell.update(params, before, u, r)[0])[k]

        return jax.jvp(new, leaves[k : k + 1], [jnp.ones_like(leaves[k])])[1]

    return by_leaf(structure.unflatten(jnp.abs(moved(k)) for k in range(len(leaves))))


def saturation(activations: Mapping[str, jax.Array]) -> dict[str, Saturation]:
    """Returns the shares of steps near an end, by name, from values [T, B, ...]."""
    found = {}
    for name, values in activations.items():
        low, high = EDGES[name.split()[0]]
        found[name] = Saturation((values < low).mean(0), (values > high).mean(0))
    return found


def forget_time(kept: jax.Array) -> jax.Array:
    """Returns the steps in which what is kept falls to 1/e: -1 / log |kept|, [...].

    Zero where nothing is kept, infinite where all is. Take the mean of `kept` over
    steps and rows first: one step that keeps all would make a mean of times infinite.
    """
    return 1 / jnp.abs(jnp.log(jnp.clip(jnp.abs(kept), 0, 1)))


def state_norms(carries: Any) -> dict[str, jax.Array]:
    """Returns the norm over units, the mean over rows: [T], by leaf.

    Args:
        carries: leaves [T, B, ...], as `watch` has them; of one batch axis.
    """
    return {name: over_units(a).mean(1) for name, a in by_leaf(carries).items()}


def by_leaf(carry: Any) -> dict[str, jax.Array]:
    """Returns the leaves of a carry by name; a carry of one array is called h."""
    leaves = jax.tree_util.tree_leaves_with_path(carry)
    return {
        jax.tree_util.keystr(path, simple=True, separator=".") or "h": leaf
        for path, leaf in leaves
    }
