"""A function of some of the rows, at the cost of those alone."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

BLOCK = 64  # rows at a time


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def of_chosen(
    function: Callable[[Any, jax.Array, jax.Array], jax.Array],
    params: Any,
    rows: jax.Array,
    targets: jax.Array,
    chosen: jax.Array,
) -> jax.Array:
    """Returns function(params, rows, targets) of the rows that are chosen, 0 of others.

    The chosen rows are taken a block at a time, in a loop that ends with the last of
    them: however many they are, none is left out, and no other costs more than its
    place in the last block. The backward pass computes each block again and holds
    nothing of it in between.

    Args:
        function: (params, [M, H], int [M]) -> [M], each row by itself.
        params: what it is differentiated by, beside the rows.
        rows: [N, H].
        targets: int [N].
        chosen: bool [N].

    Returns:
        [N].
    """
    return _forward(function, params, rows, targets, chosen)[0]


def _forward(function, params, rows, targets, chosen):
    places, count = _places(chosen)

    def add(block, found):
        at, x, true = _block(places, block, rows, targets)
        return found.at[at].set(function(params, x, true), mode="drop")

    found = lax.fori_loop(0, count, add, jnp.zeros_like(rows[:, 0]))
    return found, (params, rows, targets, places, count)


def _backward(function, residuals, d_found):
    params, rows, targets, places, count = residuals

    def add(block, sofar):
        d_params, d_rows = sofar
        at, x, true = _block(places, block, rows, targets)
        _, pull = jax.vjp(lambda params, x: function(params, x, true), params, x)
        d_here, d_x = pull(jnp.take(d_found, at, mode="fill", fill_value=0))
        d_params = jax.tree.map(jnp.add, d_params, d_here)
        return d_params, d_rows.at[at].set(d_x, mode="drop")

    zeros = jax.tree.map(jnp.zeros_like, (params, rows))
    d_params, d_rows = lax.fori_loop(0, count, add, zeros)
    return d_params, d_rows, None, None


of_chosen.defvjp(_forward, _backward)


def _places(chosen):
    """Returns the indices of the chosen rows, then N for none, and their blocks."""
    most = -(-len(chosen) // BLOCK) * BLOCK
    (places,) = jnp.nonzero(chosen, size=most, fill_value=len(chosen))
    return places, -(-jnp.sum(chosen) // BLOCK)


def _block(places, block, rows, targets):
    """Returns the indices of a block, its rows and its targets; zeros where none is."""
    at = lax.dynamic_slice_in_dim(places, block * BLOCK, BLOCK)
    filled = functools.partial(jnp.take, indices=at, axis=0, mode="fill", fill_value=0)
    return at, filled(rows), filled(targets)
