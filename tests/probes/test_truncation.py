"""A truncated gradient is that of chunks one by one, each with a carry for granted."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NAMES, cast, draw, make, weighed
from one_cell import near

from rnnlab.cells import LSTM
from rnnlab.engines import Associative, Chunked, Deferred, Loop, Scan
from rnnlab.probes import truncation

T, B = 5, 2
ENGINES = {"lru": Associative(), "mingru": Chunked(2), "lstm": Deferred()}


def by_chunks(cell, inputs, weights, window):
    """Returns the sum of the gradients of chunks, each begun from the run's carry.

    The loss is a sum over outputs, and over the last carry, which the last chunk has.
    """
    params, carry, x = inputs
    of_carry, of_y = weights
    total = jax.tree.map(jnp.zeros_like, params)
    for start in range(0, T, window):
        end = min(start + window, T)

        def loss(params, carry=carry, start=start, end=end):
            last, y = Loop()(cell, params, carry, x[start:end])
            own = weighed(y, of_y[start:end])
            return own + (weighed(last, of_carry) if end == T else 0), last

        gradient, carry = jax.jit(jax.grad(loss, has_aux=True))(params)
        total = jax.tree.map(jnp.add, total, gradient)
    return total


def flat(tree):
    return np.concatenate([np.ravel(a) for a in jax.tree.leaves(tree)])


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_sum_over_chunks(name):
    cell, windows = make(name), (2, 5)
    with jax.enable_x64(True):
        inputs, weights = cast(draw(name, T, (B,)), "float64")

        def loss(last, y):
            return weighed((last, y), weights)

        found = jax.jit(
            functools.partial(
                truncation.bias, loss, ENGINES.get(name, Scan()), cell, windows=windows
            )
        )(*inputs)
        found = jax.tree.map(np.asarray, found)
        full = flat(by_chunks(cell, inputs, weights, T))
        other = flat(by_chunks(cell, inputs, weights, 2))
    size = np.linalg.norm
    cosine = other @ full / size(other) / size(full)
    near(found.cosine, np.array([cosine, 1]), 1e-8)
    near(found.distance, np.array([size(other - full) / size(full), 0]), 1e-8)
    assert found.distance[0] > 1e-3


def test_values_are_those_of_the_engine_and_lengths_count():
    cell = LSTM(4)
    params, carry = cell.init(jax.random.key(0), 3), cell.initial((B,))
    x = jax.random.normal(jax.random.key(1), (T, B, 3))
    cut = truncation.Truncated(Deferred(), 2)
    near(cut(cell, params, carry, x), Deferred()(cell, params, carry, x))
    assert cut == truncation.Truncated(Deferred(), 2) and hash(cut) == hash(cut)

    def loss(carry, y):
        return y.sum()

    lengths = jnp.array([1, 2])  # within the first window: nothing is cut
    found = truncation.bias(
        loss, Scan(), cell, params, carry, x, [2, 1], lengths=lengths
    )
    near(found.distance[0], 0.0)
    assert found.distance[1] > 1e-3


def test_seeds_by_vmap():
    cell, x = LSTM(4), jax.random.normal(jax.random.key(1), (T, B, 3))

    @jax.jit
    def one(key):
        params, carry = cell.init(key, 3), cell.initial((B,))
        return truncation.bias(
            lambda carry, y: y.sum(), Scan(), cell, params, carry, x, [1, 2]
        )

    keys = jax.random.split(jax.random.key(0), 2)
    near(jax.tree.map(lambda a: a[1], jax.jit(jax.vmap(one))(keys)), one(keys[1]), 1e-4)


def test_no_step_at_all_is_named():
    with pytest.raises(ValueError, match="length of at least 1, got 0"):
        truncation.Truncated(Scan(), 0)
