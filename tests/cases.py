"""What the tables of tests draw on: every cell, its inputs, a loss, a comparison."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.cells import CELLS, GRID_CELLS

I, H = 3, 5  # noqa: E741
GRID = (2, 3)
NAMES = sorted(CELLS | GRID_CELLS)


def make(name, features=H):
    """Returns the cell of that name."""
    if name in GRID_CELLS:
        return GRID_CELLS[name](features, size=GRID)
    return CELLS[name](features)


def shape_of_x(name, steps, batch, in_features=I):
    """Returns the shape of a sequence that the cell takes."""
    return (steps, *batch, *(GRID if name in GRID_CELLS else ()), in_features)


@functools.lru_cache
def draw(name, steps, batch, seed=0, sizes=(I, H)):
    """Returns (params, carry, x) and the weights of a loss, in double precision.

    No leaf is zero, biases least of all.
    """
    rng = np.random.default_rng(seed)
    in_features, features = sizes
    cell = make(name, features)

    def normal(shape):
        drawn = rng.normal(size=shape.shape)
        if jnp.iscomplexobj(shape):
            drawn = drawn + 1j * rng.normal(size=shape.shape)
        return drawn

    def both(key):
        params, carry = cell.init(key, in_features), cell.initial(batch)
        x = jnp.zeros(shape_of_x(name, steps, batch, in_features))
        u = cell.project(params, x[0])
        return (params, carry, x), cell.step(params, carry, u)

    with jax.enable_x64(False):  # the shapes of the default dtypes
        inputs, (carry, y) = jax.eval_shape(both, jax.random.key(0))
    y = jax.ShapeDtypeStruct((steps, *y.shape), y.dtype)
    drawn = jax.tree.map(lambda s: normal(s) * 0.7, inputs)
    return drawn, jax.tree.map(normal, (carry, y))


def cast(tree, dtype):
    """Returns the tree in `dtype`; complex leaves have the precision nearest to it."""
    wide = jnp.complex128 if jnp.finfo(dtype).bits == 64 else jnp.complex64
    return jax.tree.map(
        lambda a: jnp.asarray(a, wide if np.iscomplexobj(a) else dtype), tree
    )


def weighed(outcome, weights):
    """Returns a loss in which each number counts differently."""
    pairs = zip(jax.tree.leaves(outcome), jax.tree.leaves(weights), strict=True)
    return sum(jnp.sum((a * w).real) for a, w in pairs)


def grads(runs, inputs, weights):
    """Returns the gradients of the loss by each input, and the outcome."""

    def loss(inputs):
        outcome = runs(*inputs)
        return weighed(outcome, weights), outcome

    return jax.grad(loss, has_aux=True)(inputs)


def close(actual, desired, tolerance):
    """Asserts equal structures and dtypes, and numbers within the tolerance."""
    assert jax.tree.structure(actual) == jax.tree.structure(desired)
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        assert a.dtype == d.dtype
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)
