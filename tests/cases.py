"""What the tables of tests draw on: every cell, its inputs, a loss, a comparison."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from equations import EQUATIONS
from sizes import GRID, H, I

from rnnlab.cells import CELLS, GRID_CELLS, OBSERVED_CELLS, Observed

ALL = sorted(CELLS | GRID_CELLS | OBSERVED_CELLS)
NAMES = [  # one of each structure and shape: for tables over engines and wrappers
    "conv_lstm",
    "elman",
    "gru",
    "layer_norm_lstm",
    "lru",
    "lstm",
    "mingru",
    "rhn",
]


def make(name, features=H):
    """Returns the cell of that name."""
    if name in GRID_CELLS:
        return GRID_CELLS[name](features, size=GRID)
    if name in OBSERVED_CELLS:
        return OBSERVED_CELLS[name](features, inputs=I)
    if name == "clockwork":  # H is no multiple of its four periods
        return CELLS[name](features, periods=(1, 2, 4))
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
        own = cell.prepare(params)
        return (params, carry, x), cell.step(own, carry, cell.project(own, x[0]))

    with jax.enable_x64(False):  # the shapes of the default dtypes
        inputs, (carry, y) = jax.eval_shape(both, jax.random.key(0))
    y = jax.ShapeDtypeStruct((steps, *y.shape), y.dtype)
    drawn = jax.tree.map(lambda s: normal(s) * 0.7, inputs)
    return drawn, jax.tree.map(normal, (carry, y))


@functools.lru_cache
def draw_near_start(name, steps, rows, seed=0):
    """Returns (params, carry, x) and weights, in double precision, of one batch axis.

    Parameters are the initial ones, each moved a little, so that none is zero and all
    keep to their constraints; the carry is that after three steps on other input.
    """
    rng = np.random.default_rng(seed)
    cell = make(name)
    params = jax.tree.map(
        lambda a: np.asarray(a, np.float64) + 0.2 * rng.normal(size=a.shape),
        cell.init(jax.random.key(0), I),
    )

    def sequence(steps):
        shape = shape_of_x(name, steps, (rows,))
        return INPUTS.get(name, normal)(rng, shape)

    zeros = jax.eval_shape(lambda: cell.initial((rows,)))
    carry = jax.tree.map(
        lambda a: np.zeros(a.shape, np.complex128 if _complex(a) else np.float64), zeros
    )
    for t in range(3):
        x_t = jax.tree.map(lambda a, t=t: a[t], sequence(3))
        carry, y = EQUATIONS[name](params, carry, x_t)
    carry = jax.tree.map(
        np.asarray,
        jax.tree.unflatten(jax.tree.structure(zeros), jax.tree.leaves(carry)),
    )
    weights = jax.tree.map(
        lambda a: rng.normal(size=a.shape) * (1 + 1j if _complex(a) else 1),
        (carry, np.zeros((steps, *y.shape))),
    )
    return (params, carry, sequence(steps)), weights


def normal(rng, shape):
    """Returns what most cells take."""
    return rng.normal(size=shape)


def observed(rng, shape):
    """Returns numbers, half of them not seen, and gaps."""
    seen = (rng.random(shape) < 0.5).astype(np.float64)
    return Observed(rng.normal(size=shape), seen, rng.uniform(0.1, 2, shape))


INPUTS = {"gru_d": observed}  # cells that take more than an array


def _complex(a):
    return jnp.issubdtype(a.dtype, jnp.complexfloating)


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
