"""How tests look at one cell: what it is drawn, run once for all, numbers compared."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sizes import I

B = 2


def near(actual, desired, tolerance=1e-6, atol=None):
    """Asserts equal numbers in trees of as many leaves, whatever their dtypes.

    The tolerance is relative, and absolute too unless `atol` is given.
    """
    atol = tolerance if atol is None else atol
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(double(a), double(d), rtol=tolerance, atol=atol)


def double(a):
    """Returns the array in double precision."""
    return np.asarray(a, np.complex128 if np.iscomplexobj(a) else np.float64)


def normal(seed, *shape):
    """Returns normal numbers in single precision."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def start(cell, seed=0, rows=B):
    """Returns params and the carry as a cell begins with them."""
    return cell.init(jax.random.key(seed), I), cell.initial((rows,))


def moved(cell, steps, seed=0, rows=B):
    """Returns (params, carry, x): parameters moved a little, a carry of any sign."""
    rng = np.random.default_rng(seed)
    params, carry = start(cell, seed, rows)
    params = jax.tree.map(
        lambda a: np.asarray(a) + 0.3 * rng.normal(size=a.shape), params
    )
    carry = jax.tree.map(lambda a: rng.normal(size=a.shape), carry)
    return params, carry, rng.normal(size=(steps, rows, I))


@functools.partial(jax.jit, static_argnums=(0, 1))
def run(engine, cell, params, carry, x):
    """Returns the last carry and the outputs."""
    return engine(cell, params, carry, x)


@functools.partial(jax.jit, static_argnums=(0, 1))
def slopes(engine, cell, *inputs):
    """Returns the gradients of the sum of sines of all that comes out."""

    def loss(inputs):
        leaves = jax.tree.leaves(engine(cell, *inputs))
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in leaves)

    return jax.grad(loss)(inputs)
