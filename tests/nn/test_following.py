"""Parameters that follow a text do what a loop with jax.grad does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.cells import Elman
from rnnlab.nn import LanguageModel, Softmax, Stack, dynamic
from rnnlab.nn.dynamic import Window

V, H, K, T, B = 7, 4, 5, 3, 2
MODEL = LanguageModel(H, Stack((Elman(H),)), Softmax(V))
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(V, size=(K * T + 1, B))
MASK = np.ones((K * T, B), bool)
MASK[-4:, 1] = False
MASK[-2:] = False
TEXT = Window(TOKENS[:-1], TOKENS[1:], MASK)
WINDOWS = Window(*(a.reshape(K, T, B) for a in TEXT))
EACH = [Window(*(a[k] for a in WINDOWS)) for k in range(K)]


@functools.lru_cache
def params():
    first = MODEL.initial((B,))
    found = MODEL.init(jax.random.key(0), first, TEXT.inputs)["params"]
    return jax.tree.map(lambda p: p + 0.3, found)


@functools.lru_cache
def gradient():
    def mean(params, carries, window):
        given = carries, window.inputs, window.targets
        after, nats = MODEL.apply({"params": params}, *given, method="loss")
        weight = jnp.maximum(window.mask.sum(), 1)
        return (nats * window.mask).sum() / weight, (after, nats)

    return jax.jit(jax.grad(mean, has_aux=True))


def size():
    total, carries = jax.tree.map(jnp.zeros_like, params()), MODEL.initial((B,))
    for window in EACH:
        grads, (carries, _) = gradient()(params(), carries, window)
        total = jax.tree.map(lambda t, g: t + g**2, total, grads)
    return jax.tree.map(lambda t: np.sqrt(t / K), total)


def close(actual, desired, tolerance=2e-5):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


def test_sizes_are_the_root_mean_squares():
    close(dynamic.sizes(MODEL, params(), MODEL.initial((B,)), EACH), size())


def by_loop(rate, decay, size, epsilon):
    """Returns parameters, carries and nats of a Python loop over the windows."""
    mean = np.concatenate([np.ravel(s) for s in jax.tree.leaves(size)]).mean()
    moved, carries, costs = params(), MODEL.initial((B,)), []
    for window in EACH:
        grads, (carries, nats) = gradient()(moved, carries, window)
        costs.append(nats)

        def step(p, g, home, s):
            back = np.minimum(decay * s / mean, 1)
            return p - rate * g / (s + epsilon) + back * (home - p)

        moved = jax.tree.map(step, moved, grads, params(), size)
    return moved, carries, np.stack(costs)


def follow(rule):
    followed = jax.jit(functools.partial(dynamic.follow, MODEL))
    return followed(rule, params(), MODEL.initial((B,)), WINDOWS)


@pytest.mark.parametrize("decay", [0.0, 0.1, 3.0])
@pytest.mark.parametrize("name", ["plain", "scaled"])
def test_following_is_a_loop_of_gradient_steps(name, decay):
    if name == "plain":
        rule, epsilon = dynamic.plain(params(), 0.3, decay), 0
        sized = jax.tree.map(np.ones_like, params())
    else:
        sized, epsilon = size(), 2e-5
        rule = dynamic.scaled(params(), sized, 0.02, decay)
    moved, carries, costs = by_loop(rule.rate, decay, sized, epsilon)
    after, carried, found = follow(rule)
    close((after, carried, found.nats), (moved, carries, costs))
    rest = read_in_one().nats.reshape(K, T, B)
    np.testing.assert_allclose(found.nats[0], rest[0], rtol=1e-5)
    assert abs(found.nats[1:3] - rest[1:3]).max() > 1e-3


def read_in_one():
    read = jax.jit(functools.partial(dynamic.read, MODEL))
    return read(params(), MODEL.initial((B,)), TEXT)[1]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_at_rate_zero_nothing_moves(decay):
    after, _, found = follow(dynamic.scaled(params(), size(), 0.0, decay))
    jax.tree.map(np.testing.assert_array_equal, after, params())
    rest = read_in_one()
    close((found.nats.reshape(K * T, B), found.h.reshape(K * T, B, H)), rest, 1e-6)


def test_a_window_that_is_padding_moves_nothing():
    nothing = WINDOWS._replace(mask=np.zeros_like(WINDOWS.mask))
    followed = jax.jit(functools.partial(dynamic.follow, MODEL))
    rule = dynamic.plain(params(), 0.3, 0.0)
    after, _, _ = followed(rule, params(), MODEL.initial((B,)), nothing)
    jax.tree.map(np.testing.assert_array_equal, after, params())
