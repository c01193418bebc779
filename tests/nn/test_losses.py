"""`cross_entropy` equals optax's on the same logits, whichever way it is computed."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rnnlab.nn import cross_entropy, losses

H = 4
TOLERANCE = {"float64": 1e-12, "float32": 5e-6}


def by_optax(h, kernel, bias, targets):
    return optax.softmax_cross_entropy_with_integer_labels(h @ kernel.T + bias, targets)


def draw(classes, batch, dtype, scale=1.0):
    rng = np.random.default_rng(0)
    shapes = {"h": (*batch, H), "kernel": (classes, H), "bias": (classes,)}
    floats = {k: jnp.asarray(rng.normal(size=s), dtype) for k, s in shapes.items()}
    targets = jnp.asarray(rng.integers(classes, size=batch), "int32")
    weights = jnp.asarray(rng.normal(size=batch), dtype)
    return floats | {"h": floats["h"] * scale}, targets, weights


def value_and_grads(function, floats, targets, weights):
    def weighed(floats):
        nats = function(**floats, targets=targets)
        return jnp.sum(nats * weights), nats

    grads, nats = jax.jit(jax.grad(weighed, has_aux=True))(floats)
    return nats, grads


def close(actual, desired, tolerance):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        assert a.shape == d.shape and a.dtype == d.dtype
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


def take_blocks(monkeypatch, block, rows, held=0):
    monkeypatch.setattr(losses, "WHOLE", 0)
    monkeypatch.setattr(losses, "HELD", held)
    monkeypatch.setattr(losses, "BLOCK", block * rows)


CASES = [  # block, classes, batch: few rows, and more than `FEW`
    (None, 1, (3,), "float64"),
    (None, 19, (3, 2), "float64"),
    (None, 19, (3, 5), "float64"),
    (1, 7, (), "float64"),
    (8, 19, (3, 2), "float64"),
    (64, 19, (3, 2), "float64"),
    (8, 19, (3, 2), "float32"),
]


@pytest.mark.parametrize("held", [0, losses.HELD])
@pytest.mark.parametrize(("block", "classes", "batch", "dtype"), CASES)
def test_equals_optax(monkeypatch, block, classes, batch, dtype, held):
    with jax.enable_x64(dtype == "float64"):
        inputs = draw(classes, batch, dtype)
        wanted = value_and_grads(by_optax, *inputs)
        if block is not None:
            take_blocks(monkeypatch, block, math.prod(batch), held)
        close(value_and_grads(cross_entropy, *inputs), wanted, TOLERANCE[dtype])


def test_equals_optax_at_the_size_that_takes_blocks():
    classes, rows = 5097, 2048
    assert classes * rows > losses.WHOLE and classes % (losses.BLOCK // rows)
    inputs = draw(classes, (rows,), "float32")
    wanted = value_and_grads(by_optax, *inputs)
    close(value_and_grads(cross_entropy, *inputs), wanted, 1e-4)  # sums of 2048 rows


@pytest.mark.parametrize("block", [None, 8])
def test_extreme_logits_stay_finite(monkeypatch, block):
    floats, targets, weights = draw(19, (6,), "float32", scale=1e4)
    wanted = value_and_grads(by_optax, floats, targets, weights)
    if block is not None:
        take_blocks(monkeypatch, block, 6)
    nats, grads = value_and_grads(cross_entropy, floats, targets, weights)
    assert np.abs(floats["h"] @ floats["kernel"].T).max() > 1e4
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((nats, grads)))
    np.testing.assert_allclose(nats, wanted[0], rtol=1e-6, atol=1e-2)  # eps of 1e4


def test_a_hopeless_class_costs_its_distance():
    h, kernel = jnp.ones((1, 1)), jnp.array([[0.0], [1e4], [-1e4]])
    nats = jax.jit(cross_entropy)(h, kernel, jnp.zeros(3), jnp.array([2]))
    np.testing.assert_array_equal(nats, [2e4])


@pytest.mark.parametrize(("rows", "classes"), [(700, 33_000), (400, 267_000)])
def test_logits_are_held_once_and_many_not_at_all(rows, classes):
    """By XLA's account; optax needs the logits and their gradient."""
    shapes = (rows, 8), (classes, 8), (classes,)
    floats = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
    targets = jax.ShapeDtypeStruct((rows,), "int32")

    def temporaries(function):
        grads = jax.grad(lambda *args: jnp.mean(function(*args)), argnums=(0, 1, 2))
        program = jax.jit(grads).lower(*floats, targets).compile()
        return program.memory_analysis().temp_size_in_bytes

    logits = 4 * rows * classes
    assert temporaries(by_optax) >= 2 * logits
    few = 3 * 4 * losses.BLOCK  # bytes of some blocks
    held = logits if rows * classes <= losses.HELD else 0
    assert temporaries(cross_entropy) < held + few < 2 * logits
    assert (held > 0) == (classes < 100_000)
