"""How a step passes on a change of the state: the Jacobian, and products of them.

    found = steps(cell, params, carry, x)  # [T, N, N], of one row
    spectrum(products(found, window=10))

One row at a time; rows, and seeds, by `jax.vmap`. The state is the carry as one vector
of real numbers: all leaves, the imaginary parts after the real ones.

References:
    Saxe, McClelland, Ganguli, Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks, 2013, https://arxiv.org/abs/1312.6120
    Halko, Martinsson, Tropp, Finding structure with randomness, 2011,
    https://arxiv.org/abs/0909.4061: `largest_singular_values`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from rnnlab.cell import Cell, Params
from rnnlab.probes.gradients import differentiable
from rnnlab.wrappers import inside


class Spectrum(NamedTuple):
    """What the singular values s of a Jacobian J say, each [...].

    Attributes:
        largest: of s.
        median: of s.
        smallest: of s.
        condition: largest / smallest.
        from_orthogonal: the norm of J^T J - 1, a unit: 0 for an orthogonal J.
    """

    largest: jax.Array
    median: jax.Array
    smallest: jax.Array
    condition: jax.Array
    from_orthogonal: jax.Array


def steps(cell: Cell[Any], params: Params, carry: Any, x: Any) -> jax.Array:
    """Returns d carry_t / d carry_{t-1} for each step, [T, N, N].

    Args:
        cell: any cell.
        params: its parameters.
        carry: carry_0 of one row, as `cell.initial(())` has it.
        x: [T, I], or what else the cell takes.

    Raises:
        TypeError: a leaf of the carry is of whole numbers, which have no derivative.
    """
    move, state, u = walk(cell, params, carry, x)

    def one(state, u_t):
        return move(state, u_t), jax.jacfwd(move)(state, u_t)

    return jax.lax.scan(one, state, u)[1]


def products(jacobians: jax.Array, window: int) -> jax.Array:
    """Returns the product over each `window` steps in turn, [T // window, N, N].

    Raises:
        ValueError: the window is longer than the sequence, or of no step.
    """
    count = len(jacobians) // max(window, 1)
    if window < 1 or count < 1:
        raise ValueError(
            f"products needs a window of 1 to {len(jacobians)} steps, got {window};"
            f" take the Jacobians of more steps."
        )
    windows = jacobians[: count * window]
    windows = windows.reshape(count, window, *jacobians.shape[1:])
    return jax.lax.fori_loop(
        1, window, lambda k, product: windows[:, k] @ product, windows[:, 0]
    )


def spectrum(jacobians: jax.Array) -> Spectrum:
    """Returns what is told by the singular values of Jacobians [..., N, N]."""
    s = jnp.linalg.svd(jacobians, compute_uv=False)
    largest, smallest = s[..., 0], s[..., -1]
    from_orthogonal = jnp.sqrt(jnp.mean((s**2 - 1) ** 2, axis=-1))
    median = jnp.median(s, axis=-1)
    return Spectrum(largest, median, smallest, largest / smallest, from_orthogonal)


def largest_singular_values(
    cell: Cell[Any],
    params: Params,
    carry: Any,
    x: Any,
    key: jax.Array,
    count: int = 1,
    rounds: int = 8,
) -> jax.Array:
    """Returns the largest singular values of d carry_T / d carry_0, [count].

    By products with the Jacobian and its transpose alone, for states too large for a
    matrix: subspace iteration from a random start, a few directions wider than asked.

    Args:
        cell: any cell.
        params: its parameters.
        carry: carry_0 of one row.
        x: [T, I].
        key: draws the start.
        count: how many.
        rounds: products with both; more where values lie close together.
    """
    move, state, u = walk(cell, params, carry, x)

    def last(state):
        return jax.lax.scan(lambda s, u_t: (move(s, u_t), None), state, u)[0]

    _, forward = jax.linearize(last, state)
    backward = jax.linear_transpose(forward, state)
    ahead = jax.vmap(forward, in_axes=1, out_axes=1)
    back = jax.vmap(lambda v: backward(v)[0], in_axes=1, out_axes=1)
    width = min(count + 4, state.size)
    start = jax.random.normal(key, (state.size, width), state.dtype)

    def turn(_, q):
        return jnp.linalg.qr(back(jnp.linalg.qr(ahead(q))[0]))[0]

    found = ahead(jax.lax.fori_loop(0, rounds, turn, jnp.linalg.qr(start)[0]))
    return jnp.linalg.svd(found, compute_uv=False)[:count]


def walk(
    cell: Cell[Any], params: Params, carry: Any, x: Any
) -> tuple[Callable[[jax.Array, Any], jax.Array], jax.Array, Any]:
    """Returns a step as a function of real vectors, the first of these, and u.

    Args:
        cell: any cell.
        params: its parameters.
        carry: carry_0 of one row.
        x: [T, I].

    Returns:
        (state [N], u_t) -> state [N]; carry_0 as [N]; the projected input, [T, ...].

    Raises:
        TypeError: a leaf of the carry has no derivative, or the cell computes rows
            together.
    """
    differentiable(cell, carry)
    if not inside(cell).rows_apart:
        raise TypeError(
            f"A step of one row was wanted, and {cell} computes rows together; take a"
            f" cell that does not, such as LayerNormLSTM."
        )
    own = cell.prepare(params)
    state, back = ravel_pytree(jax.tree.map(_parts, carry))

    def move(state, u_t):
        parts = back(state)
        before = jax.tree.map(
            lambda a, p: jax.lax.complex(*p) if jnp.iscomplexobj(a) else p[0],
            carry,
            parts,
            is_leaf=lambda a: isinstance(a, jax.Array),
        )
        after, _ = cell.step(own, before, u_t)
        return ravel_pytree(jax.tree.map(_parts, after))[0]

    return move, state, cell.project(own, x)


def _parts(a):
    """Returns the real part of an array and, of a complex one, the imaginary part."""
    return (a.real, a.imag) if jnp.iscomplexobj(a) else (a,)
