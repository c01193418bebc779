"""The derivative of a trajectory, however it was found.

The states solve z_t = f(z_{t-1}, u_t), so their tangents solve the linear recurrence

    d_t = J_t d_{t-1} + r_t,  J_t = df / dz at z_{t-1},

where r_t is what the tangents of params, start and u_t give in one step (the implicit
function theorem); the cotangents solve its transpose, from the last step to the first.
Both are solved at once over time, by the method that found the states.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from rnnlab.cell import Params
from rnnlab.engines import recurrences
from rnnlab.engines.iterations import Iterations
from rnnlab.engines.recurrences import later
from rnnlab.engines.rows import Rows


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def attach(
    iterations: Iterations,
    jacobian: Any,
    rows: Rows,
    params: Params,
    start: jax.Array,
    u: Any,
    z: jax.Array,
) -> jax.Array:
    """Returns the states `z` as a differentiable function of params, start and u.

    Args:
        iterations: when the linear recurrence is solved.
        jacobian: `Rows.jacobian`, or `Rows.diagonal` to iterate with that.
        rows: the cell.
        params: its parameters.
        start: the state before the first step, [*batch, N].
        u: leaves [T, *batch, ...].
        z: the states after each step, [T, *batch, N].
    """
    return z


@attach.defjvp
def _tangent(iterations, jacobian, rows, primals, tangents):
    """Returns the states and their tangents."""
    z = attach(iterations, jacobian, rows, *primals)  # for the derivative of this one
    params, start, u, _ = primals
    before = later(start, z)

    def one_step(params, start, u):
        return rows.steps(params, later(start, z), u)[0]

    def lacks(d):
        d_before = later(jnp.zeros_like(start), d)
        of_state = functools.partial(_after, rows, params, u=u)
        return d - jax.jvp(of_state, (before,), (d_before,))[1]

    def solve(lacks, r):
        j = jacobian(rows, params, before, u)
        in_turn = functools.partial(_push, rows, params, before, u, r)
        return _linear(iterations, j, lacks, in_turn, r)

    def solve_transpose(lacks, r):
        j = recurrences.adjoint(jacobian(rows, params, before, u), r)
        d = _linear(
            iterations,
            j,
            lambda d: jnp.flip(lacks(jnp.flip(d, 0)), 0),
            lambda: jnp.flip(_pull(rows, params, before, u, r), 0),
            jnp.flip(r, 0),
        )
        return jnp.flip(d, 0)

    _, r = jax.jvp(one_step, primals[:3], tangents[:3])
    return z, lax.custom_linear_solve(lacks, r, solve, solve_transpose)


def _linear(iterations, j, lacks, in_turn, r):
    """Returns d with lacks(d) = r, of a recurrence with Jacobians near `j`."""

    def missing(d):
        return r - lacks(d)

    if j.ndim > r.ndim:
        # All is known of the recurrence: the cell is not asked again, and after one
        # solution and one correction of its rounding, only a scan does better.
        iterations = dataclasses.replace(iterations, limit=2)
        missing = functools.partial(recurrences.missed, j, r)
        in_turn = functools.partial(recurrences.in_turn, j, r)
    # A gradient may be of any size, and zero: each row has its own unit.
    unit = jnp.max(jnp.abs(r), axis=(0, -1), keepdims=True)
    d, _ = iterations(
        missing,
        lambda _: j,
        lambda j, r, _: recurrences.solved(j, r),
        in_turn,
        jnp.zeros_like(r),
        r,
        jnp.maximum(unit, jnp.finfo(r.dtype).tiny),
    )
    return d


def _after(rows, params, z, u):
    return rows.steps(params, z, u)[0]


def _push(rows, params, before, u, r):
    """Returns d_t = J_t d_{t-1} + r_t, one step after the other."""

    def step(d, inputs):
        z, u, r = inputs
        _, d = jax.jvp(lambda z: rows.step(params, z, u)[0], (z,), (d,))
        return d + r, d + r

    return lax.scan(step, jnp.zeros_like(r[0]), (before, u, r))[1]


def _pull(rows, params, before, u, r):
    """Returns d_t = J_{t+1}' d_{t+1} + r_t, from the last step to the first."""

    def step(d, inputs):
        z, u, r = inputs
        _, pullback = jax.vjp(lambda z: rows.step(params, z, u)[0], z)
        return pullback(d + r)[0], d + r

    return lax.scan(step, jnp.zeros_like(r[0]), (before, u, r), reverse=True)[1]
