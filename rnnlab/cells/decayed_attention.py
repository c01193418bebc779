"""Attention to the past, whose weights decay over time: a matrix memory all at once."""

import jax
import jax.numpy as jnp

from rnnlab.cells.precision import wide


def attend(
    q: jax.Array, k: jax.Array, v: jax.Array, log_i: jax.Array, log_f: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns, for each step t, sums over the steps s up to it, all times exp(-m_t).

    Step s weighs exp(log f_{s+1} + ... + log f_t + log i_s), of which exp(m_t) is the
    greatest. Memory and arithmetic are those of T^2. The sums of log f are taken in
    single precision at least: a decay is the difference of two of them.

    Args:
        q: [T, ..., d].
        k: [T, ..., d].
        v: [T, ..., d].
        log_i: [T, ...].
        log_f: [T, ...].

    Returns:
        The sums of weight (k_s . q_t) v_s, [T, ..., d], and of weight (k_s . q_t),
        [T, ...], and m, [T, ...].
    """
    kept, steps = jnp.cumsum(wide(log_f), axis=0), len(q)
    past = jnp.tri(steps, dtype=bool).reshape(steps, steps, *(1,) * (kept.ndim - 1))
    weights = jnp.where(past, kept[:, None] - kept + wide(log_i), -jnp.inf)
    m = jnp.max(weights, axis=1).astype(log_i.dtype)  # as it is told
    decayed = jnp.exp(weights - wide(m)[:, None])
    scores = wide(jnp.einsum("t...d,s...d->ts...", q, k)) * decayed
    top = jnp.einsum("ts...,s...d->t...d", scores, wide(v)).astype(v.dtype)
    return top, jnp.sum(scores, axis=1).astype(v.dtype), m
