"""Each optimizer and each way of clipping equals its textbook update in NumPy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from tiny import make_task

from rnnlab.cells import LSTM
from rnnlab.training import leaves
from rnnlab.training.optimizers import OPTIMIZERS, chain
from rnnlab.training.settings import Training
from rnnlab.training.step import init

PLAIN = Training(
    optimizer="sgd", momentum=0.9, smoothing=0.8, weight_decay=0.1, clip_norm=None
)
RNG = np.random.default_rng(0)
START = {"kernel": RNG.normal(size=(3, 2)), "bias": RNG.normal(size=2)}
CENTRE = {"kernel": RNG.normal(size=(3, 2)), "bias": RNG.normal(size=2)}
RATE, STEPS = 0.1, 4


def sgd(g, p, s, t):
    s["m"] = g + 0.9 * s.get("m", 0)
    return -s["m"]


def adam(g, p, s, t):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    m, v = s["m"] / (1 - 0.9**t), s["v"] / (1 - 0.999**t)
    return -m / (np.sqrt(v) + 1e-8)


def adamw(g, p, s, t):
    return adam(g, p, s, t) - 0.1 * p


def rmsprop(g, p, s, t):
    s["v"] = 0.8 * s.get("v", 0) + 0.2 * g**2
    return -g / (np.sqrt(s["v"] / (1 - 0.8**t)) + 1e-8)


def adagrad(g, p, s, t):
    s["v"] = s.get("v", 0.1) + g**2
    return -g / np.sqrt(s["v"] + 1e-7)


def lion(g, p, s, t):
    m = s.get("m", 0)
    s["m"] = 0.99 * m + 0.01 * g
    return -np.sign(0.9 * m + 0.1 * g) - 0.1 * p


TEXTBOOK = {
    "adagrad": adagrad,
    "adam": adam,
    "adamw": adamw,
    "lion": lion,
    "rmsprop": rmsprop,
    "sgd": sgd,
}


def test_each_optimizer_has_a_textbook_here():
    assert TEXTBOOK.keys() == OPTIMIZERS.keys()


@pytest.mark.parametrize("name", sorted(TEXTBOOK))
def test_steps_on_a_quadratic_are_those_of_the_textbook(name):
    """In double precision: in float32 Adam's 1 - 0.999^t alone is off by 6e-5."""
    optimizer = chain(dataclasses.replace(PLAIN, optimizer=name))
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.float64, START)
        state = optimizer.init(params)
        update = jax.jit(optimizer.update)
        wanted, memory = dict(START), {key: {} for key in START}
        for t in range(1, STEPS + 1):
            grads = jax.tree.map(lambda p, c: p - c, params, CENTRE)
            updates, state = update(grads, state, params)
            params = jax.tree.map(lambda p, u: p + RATE * u, params, updates)
            for key, p in wanted.items():
                d = TEXTBOOK[name](p - CENTRE[key], p, memory[key], t)
                wanted[key] = p + RATE * d
            for key in START:
                np.testing.assert_allclose(params[key], wanted[key], rtol=1e-10)


def test_sgd_without_momentum_is_the_gradient():
    optimizer = chain(dataclasses.replace(PLAIN, momentum=0.0))
    updates, _ = optimizer.update(START, optimizer.init(START), START)
    for key in START:
        np.testing.assert_allclose(updates[key], -START[key], rtol=1e-6)


def clip_norm(g, p, bound):
    norm = np.sqrt(sum((leaf**2).sum() for leaf in g.values()))
    return {key: leaf * min(1, bound / norm) for key, leaf in g.items()}


def clip_value(g, p, bound):
    return {key: np.clip(leaf, -bound, bound) for key, leaf in g.items()}


def clip_adaptive(g, p, bound):
    """The gradient of each column, or of a bias, against the norm of its weights."""
    return clip_units(g, p, bound, dict.fromkeys(g, 0))


def clip_units(g, p, bound, axes):
    found = {}
    for key, axis in axes.items():
        g_norm, p_norm = (
            np.sqrt((a[key] ** 2).sum(axis, keepdims=True)) for a in (g, p)
        )
        most = bound * np.maximum(p_norm, 1e-3)
        found[key] = g[key] * np.minimum(1, most / np.maximum(g_norm, 1e-6))
    return found


def clip_layer(g, p, bound):
    """Each array by its own norm."""
    norms = {key: np.sqrt((leaf**2).sum()) for key, leaf in g.items()}
    return {key: leaf * min(1, bound / norms[key]) for key, leaf in g.items()}


def l1(g, p, factor):
    return {key: g[key] + factor * np.sign(p[key]) for key in g}


def l2(g, p, factor):
    return {key: g[key] + factor * p[key] for key in g}


REGULARISED = [
    ([("clip_norm", 0.5)], clip_norm),
    ([("clip_norm", 50.0)], clip_norm),
    ([("clip_value", 0.3)], clip_value),
    ([("clip_adaptive", 0.2)], clip_adaptive),
    ([("clip_layer", 0.5)], clip_layer),
    ([("clip_layer", 50.0)], clip_layer),
    ([("l1", 0.1)], l1),
    ([("l2", 0.1)], l2),
]
ALONE = {knob: function for ((knob, _),), function in REGULARISED}
TOGETHER = [("l1", 0.3), ("l2", 0.2), ("clip_value", 0.5), ("clip_norm", 0.8)]


@pytest.mark.parametrize(
    "knobs", [knobs for knobs, _ in REGULARISED] + [TOGETHER], ids=str
)
def test_penalties_and_clipping_in_this_order(knobs):
    optimizer = chain(dataclasses.replace(PLAIN, momentum=0.0, **dict(knobs)))
    params = jax.tree.map(jnp.float32, START)
    grads = jax.tree.map(jnp.float32, CENTRE)
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    wanted = CENTRE
    for knob, value in knobs:
        wanted = ALONE[knob](wanted, START, value)
    for key in START:
        np.testing.assert_allclose(updates[key], -wanted[key], rtol=1e-5, atol=1e-6)


def test_a_unit_is_what_one_number_is_made_of():
    """A word's row of a matrix [V, H]; a column of each of several matrices."""
    axes = {"embedding": 1, "decoder": 1, "recurrent": 1, "kernel": 0}
    shapes = {"recurrent": (2, 3, 4)}
    random = np.random.default_rng(0)
    params, grads = (
        {key: random.normal(size=shapes.get(key, (4, 3))) for key in axes}
        for _ in range(2)
    )
    for name in axes:
        grads[name][0] *= 100
    optimizer = chain(dataclasses.replace(PLAIN, momentum=0.0, clip_adaptive=0.5))
    p, g = (jax.tree.map(jnp.float32, tree) for tree in (params, grads))
    updates, _ = optimizer.update(g, optimizer.init(p), p)
    wanted = clip_units(grads, params, 0.5, axes)
    for key in axes:
        np.testing.assert_allclose(updates[key], -wanted[key], rtol=1e-5)


@pytest.mark.parametrize("norm", [None, 0.1])
def test_the_state_is_the_same_with_any_soft_option(norm):
    """A run that is gone on with may have another one."""
    usual = Training(optimizer="adam")
    params = {"w": jnp.ones(3)}
    states = [
        chain(settings).init(params)
        for settings in (usual, dataclasses.replace(usual, clip_norm=norm))
    ]
    assert [*leaves.named(states[0])] == [*leaves.named(states[1])]


def test_noise_on_the_gradient_fades_and_depends_on_the_seed():
    """The variance at step t is that of the start over (1 + t)^0.55."""
    params = {"w": jnp.zeros((200, 200))}
    grads = {"w": jnp.full((200, 200), 3.0)}
    drawn = {}
    for seed in (1, 2):
        noisy = dataclasses.replace(PLAIN, momentum=0.0, gradient_noise=0.5, seed=seed)
        optimizer = chain(noisy)
        state = optimizer.init(params)
        for t in range(3):
            updates, state = optimizer.update(grads, state, params)
            drawn[seed, t] = -np.asarray(updates["w"]) - 3
    for (_, t), noise in drawn.items():
        assert abs(noise.mean()) < 0.02
        assert noise.std() == pytest.approx(0.5 * (1 + t) ** -0.275, rel=0.02)
    assert np.abs(drawn[1, 0] - drawn[2, 0]).max() > 0.5
    assert np.abs(drawn[1, 0] - drawn[1, 1]).max() > 0.5


def test_noise_on_the_gradient_is_not_what_the_parameters_were_drawn_from():
    task = dataclasses.replace(make_task(LSTM(4)), init_scale=0.1)
    settings = dataclasses.replace(PLAIN, momentum=0.0, gradient_noise=1.0)
    first = init(task, settings)
    optimizer, state = chain(settings), first.optimizer
    nothing = jax.tree.map(jnp.zeros_like, first.params)
    drawn = ravel_pytree(first.params)[0]
    for _ in range(4):
        updates, state = optimizer.update(nothing, state, first.params)
        noise = ravel_pytree(updates)[0]
        assert abs(np.corrcoef(noise, drawn)[0, 1]) < 0.2
