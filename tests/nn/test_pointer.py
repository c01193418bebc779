"""The neural cache is what a loop over tokens says, in blocks of any length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.nn import pointer

T, B, H, V = 23, 2, 3, 4
RNG = np.random.default_rng(0)
STATES = RNG.normal(size=(T, B, H)).astype(np.float32)
TARGETS = RNG.integers(V, size=(T, B))
THETAS = (0.0, 0.7, 3.0)


def by_loop(size, theta):
    """Returns the log-probability of each target, a token at a time."""
    found = np.full((T, B), np.nan)
    for b in range(B):
        for t in range(1, T):
            seen = range(max(0, t - size), t)
            weights = [np.exp(theta * STATES[t, b] @ STATES[i, b]) for i in seen]
            hits = [
                w
                for w, i in zip(weights, seen, strict=True)
                if TARGETS[i, b] == TARGETS[t, b]
            ]
            with np.errstate(divide="ignore"):
                found[t, b] = np.log(np.sum(hits) / np.sum(weights))
    return found


def in_blocks(size, length, targets=TARGETS):
    cached, found = pointer.empty(size, STATES), []
    recall = jax.jit(pointer.recall)
    for start in range(0, T, length):
        part = slice(start, start + length)
        given = cached, STATES[part], targets[part], jnp.asarray(THETAS)
        cached, log_p = recall(*given)
        found.append(log_p)
    return cached, np.concatenate(found, axis=1)


@pytest.mark.parametrize("size", [1, 4, 9, 40])
@pytest.mark.parametrize("length", [4, 23])
def test_blocks_are_a_loop_over_tokens(size, length):
    cached, found = in_blocks(size, length)
    wanted = np.stack([by_loop(size, theta) for theta in THETAS])
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    last = min(size, T)
    np.testing.assert_array_equal(cached.tokens[-last:], TARGETS[-last:])
    np.testing.assert_array_equal(cached.h[-last:], STATES[-last:])
    assert (cached.tokens[:-last] == -1).all()


def test_the_mixture_is_a_distribution():
    """Over the last target's values, beside a model that is even over all tokens."""
    total = 0.0
    for token in range(V):
        targets = TARGETS.copy()
        targets[-1] = token
        _, log_p = in_blocks(9, T, targets)
        nats = np.full((T, B), np.log(V))
        total += np.exp(-np.asarray(pointer.mixed(nats, log_p[1], 0.3)))[-1]
    np.testing.assert_allclose(total, np.ones(B), rtol=1e-5)


def test_mixing_by_hand():
    nats = np.array([0.5, 1.0, 2.0, 3.0], np.float32)
    log_p = np.log(np.array([0.5, 1.0, 0.0, np.nan], np.float32), where=[1, 1, 0, 1],
                   out=np.array([0, 0, -np.inf, 0], np.float32))  # fmt: skip
    wanted = -np.log(0.75 * np.exp(-nats) + 0.25 * np.array([0.5, 1, 0, 0]))
    wanted[3] = nats[3]  # where nothing is cached
    np.testing.assert_allclose(pointer.mixed(nats, log_p, 0.25), wanted, rtol=1e-6)
    np.testing.assert_array_equal(pointer.mixed(nats, log_p, 0.0), nats)
