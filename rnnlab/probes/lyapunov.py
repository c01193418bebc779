"""The rates at which small changes of the state grow or die: Lyapunov exponents.

A frame of directions is carried along the run by the step's derivative and made
orthogonal again at each step; the logarithms of what its lengths are multiplied by,
in the mean, are the exponents. Above zero, nearby states part: chaos.

References:
    Benettin et al., Lyapunov characteristic exponents for smooth dynamical systems,
    1980, https://doi.org/10.1007/BF02128236
    Engelken, Wolf, Abbott, Lyapunov spectra of chaotic recurrent neural networks, 2020,
    https://arxiv.org/abs/2006.02427
"""

from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.probes.jacobians import walk


def exponents(
    cell: Cell[Any],
    params: Params,
    carry: Any,
    x: Any,
    key: jax.Array,
    count: int | None = None,
    skip: int = 0,
) -> jax.Array:
    """Returns the largest exponents, in nats a step, the largest first: [count].

    Args:
        cell: any cell.
        params: its parameters.
        carry: carry_0 of one row, as `cell.initial(())` has it; rows by `jax.vmap`.
        x: [T, I].
        key: draws the frame.
        count: how many; by default all N, of the carry as real numbers.
        skip: steps at the start that do not count: until the run is on its way.

    Raises:
        ValueError: no step is left to count, or more exponents than N are asked for.
    """
    move, state, u = walk(cell, params, carry, x)
    total = len(jax.tree.leaves(u)[0])
    if not 0 <= skip < total:
        raise ValueError(
            f"exponents needs 0 <= skip < T={total}, got {skip}; pass a longer x."
        )
    count = state.size if count is None else count
    if not 1 <= count <= state.size:
        raise ValueError(
            f"{cell} has 1 to {state.size} exponents, got {count}; leave count out for"
            f" all."
        )

    def one(moving, u_t):
        state, frame = moving
        after, forward = jax.linearize(lambda s: move(s, u_t), state)
        moved = jax.vmap(forward, in_axes=1, out_axes=1)(frame)
        frame, r = jnp.linalg.qr(moved)
        return (after, frame), jnp.log(jnp.abs(jnp.diagonal(r)))

    frame = jnp.linalg.qr(jax.random.normal(key, (state.size, count), state.dtype))[0]
    _, logs = jax.lax.scan(one, (state, frame), u)
    return jnp.sort(logs[skip:].mean(0))[::-1]
