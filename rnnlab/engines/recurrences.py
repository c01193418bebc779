"""Linear recurrences over states, d_t = J_t d_{t-1} + r_t with d_0 = 0, all at once.

Newton's method asks them for the correction d of a whole trajectory: r says by how
much each step misses, J how a step passes on a change of the state before it.

References:
    Sarkka, Garcia-Fernandez, Temporal parallelization of Bayesian smoothers, 2021,
    https://arxiv.org/abs/1905.13002
"""

import jax
import jax.numpy as jnp
from jax import lax

from rnnlab.engines.associative import states


def later(first: jax.Array, z: jax.Array) -> jax.Array:
    """Returns z a step later, [T, ...]: `first`, then all of `z` but the last."""
    return jnp.concatenate([first[None], z[:-1]])


def solved(jacobian: jax.Array, r: jax.Array) -> jax.Array:
    """Returns d_1 to d_T, [T, *batch, N], by one associative scan.

    Args:
        jacobian: [T, *batch, N, N], or its diagonal, [T, *batch, N].
        r: [T, *batch, N].
    """
    if jacobian.ndim == r.ndim:
        return states(jacobian, r, jnp.zeros_like(r[0]))
    # J and r side by side: the two products of a round are one.
    steps = jnp.concatenate([jacobian, r[..., None]], axis=-1)
    return lax.associative_scan(_join, steps)[..., -1]


def _join(first, second):
    """Returns two runs of steps [J | r] as one, [J_2 J_1 | J_2 r_1 + r_2]."""
    return (second[..., :-1] @ first).at[..., -1].add(second[..., -1])


def missed(jacobian: jax.Array, r: jax.Array, d: jax.Array) -> jax.Array:
    """Returns J_t d_{t-1} + r_t - d_t, zero where d solves it; J is [T, ..., N, N]."""
    return r - d + _times(jacobian, later(jnp.zeros_like(r[0]), d))


def in_turn(jacobian: jax.Array, r: jax.Array) -> jax.Array:
    """Returns what `solved` does, one step after the other; J is [T, ..., N, N]."""

    def step(d, inputs):
        j, r = inputs
        d = _times(j, d) + r
        return d, d

    return lax.scan(step, jnp.zeros_like(r[0]), (jacobian, r))[1]


def _times(jacobian, d):
    return (jacobian @ d[..., None])[..., 0]


def adjoint(jacobian: jax.Array, r: jax.Array) -> jax.Array:
    """Returns the J of the adjoint recurrence on reversed time.

    The adjoint d_t = J_{t+1}' d_{t+1} + r_t, from d_{T+1} = 0, is one of the same form
    when time is read backwards, r and d too.
    """
    if jacobian.ndim > r.ndim:
        jacobian = jnp.swapaxes(jacobian, -1, -2)
    return jnp.roll(jnp.flip(jacobian, 0), 1, axis=0)  # the first meets d_0 = 0


def damped(a: jax.Array, r: jax.Array, damping: jax.Array) -> jax.Array:
    """Returns d that minimises sum_t (d_t - a_t d_{t-1} - r_t)^2 + damping d_t^2.

    This is the mean of a Kalman smoother, for each coordinate: dynamics a, drift r and
    noise of variance 1, and at each step zero is seen, with variance 1 / damping. One
    associative scan gives the variances p, one the filtered means m, one the result.

    Args:
        a: [T, *batch, N], the diagonal of J.
        r: [T, *batch, N].
        damping: a scalar, at least 0.
    """
    # p_t = (a^2 p + 1) / (damping a^2 p + damping + 1) of p = p_{t-1}, from p_0 = 0.
    # Such fractions compose as 2 x 2 matrices; nothing is negative, nothing cancels.
    one, nothing = jnp.ones_like(a), jnp.zeros_like(r[0])
    fractions = (a**2, one, damping * a**2, (1 + damping) * one)
    _, top, _, bottom = lax.associative_scan(_compose, fractions)
    p = top / bottom
    predicted = 1 + a**2 * later(nothing, p)
    kept = 1 / (1 + damping * predicted)
    m = states(kept * a, kept * r, nothing)
    # d_t = m_t + g_t (d_{t+1} - a_{t+1} m_t - r_{t+1}), from d_T = m_T, so g_T = 0.
    a, r = (jnp.concatenate([part[1:], nothing[None]]) for part in (a, r))
    g = p * a / jnp.roll(predicted, -1, axis=0)
    d = states(jnp.flip(g, 0), jnp.flip(m - g * (a * m + r), 0), nothing)
    return jnp.flip(d, 0)


def _compose(first, second):
    """Returns the 2 x 2 matrix second @ first, scaled to stay finite."""
    a_1, b_1, c_1, d_1 = first
    a_2, b_2, c_2, d_2 = second
    a, b = a_2 * a_1 + b_2 * c_1, a_2 * b_1 + b_2 * d_1
    c, d = c_2 * a_1 + d_2 * c_1, c_2 * b_1 + d_2 * d_1
    size = jnp.maximum(jnp.maximum(a, b), jnp.maximum(c, d))
    return a / size, b / size, c / size, d / size
