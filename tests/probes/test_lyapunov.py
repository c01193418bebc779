"""Lyapunov exponents of runs for which they are known."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from one_cell import near
from sizes import I

from rnnlab.cell import Cell
from rnnlab.cells import LRU, Elman
from rnnlab.probes.lyapunov import exponents

KEY = jax.random.key(0)


@dataclasses.dataclass(frozen=True)
class Henon(Cell[jax.Array]):
    """x' = 1 - 1.4 x^2 + y, y' = 0.3 x: a map whose exponents are in books."""

    features: int = 2

    def init(self, key, in_features):
        return {}

    def initial(self, batch, dtype=jnp.float32):
        return jnp.zeros((*batch, 2), dtype)

    def project(self, params, x):
        return x

    def step(self, params, carry, u):
        x, y = carry[..., 0], carry[..., 1]
        after = jnp.stack([1 - 1.4 * x**2 + y, 0.3 * x], -1)
        return after, after


def test_those_of_the_henon_map_are_known():
    with jax.enable_x64(True):
        cell, x = Henon(), jnp.zeros((20_000, 1))
        carry = cell.initial((), jnp.float64)
        found = jax.jit(functools.partial(exponents, cell, {}, skip=100))(carry, x, KEY)
    # Sprott, Chaos and time-series analysis, 2003: 0.4192; the area shrinks by 0.3.
    assert found[0] == pytest.approx(0.4192, abs=0.01)
    near(np.sum(np.array(found)), np.log(0.3), 1e-10)


@pytest.mark.parametrize("count", [None, 3])
def test_those_of_a_linear_cell_are_the_logarithms_of_its_eigenvalues(count):
    cell = LRU(4)
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.float64, cell.init(KEY, I))
        a, _ = cell.coefficients(params, cell.project(params, jnp.zeros(I)))
        x = jax.random.normal(KEY, (4000, I), jnp.float64)
        carry = cell.initial((), jnp.float64)
        found = jax.jit(functools.partial(exponents, cell, count=count, skip=3900))(
            params, carry, x, KEY
        )
    wanted = np.sort(np.repeat(np.log(np.abs(a)), 2))[::-1]
    near(found, wanted[:count], 1e-3, 1e-4)


@pytest.mark.parametrize(("gain", "chaos"), [(0.5, False), (4.0, True)])
def test_a_large_gain_makes_chaos(gain, chaos):
    """Sompolinsky, Crisanti, Sommers, 1988: without input, from a gain of one on."""
    cell, normal = Elman(64), jax.random.normal(KEY, (64, 64))
    params = cell.init(KEY, I) | {"recurrent": gain * normal / 8}
    carry, x = normal[0], jnp.zeros((400, I))
    largest = jax.jit(functools.partial(exponents, cell, count=1, skip=100))
    found = largest(params, carry, x, KEY)
    assert (found[0] > 0.05) == chaos and (found[0] < -0.05) == (not chaos)


def test_seeds_by_vmap():
    cell, x = Elman(4), jnp.zeros((50, I))

    @jax.jit
    def top(key):
        return exponents(cell, cell.init(key, I), jnp.ones(4), x, KEY, count=2)

    keys = jax.random.split(KEY, 3)
    near(jax.jit(jax.vmap(top))(keys), np.stack([top(key) for key in keys]), 1e-4)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"skip": 5}, "skip < T=5, got 5"),
        ({"skip": -1}, "skip < T=5, got -1"),
        ({"count": 5}, "1 to 4 exponents, got 5"),
        ({"count": 0}, "1 to 4 exponents, got 0"),
    ],
)
def test_what_is_asked_for_and_is_not_there_is_named(flags, message):
    cell = Elman(4)
    params, carry = cell.init(KEY, I), cell.initial(())
    with pytest.raises(ValueError, match=message):
        exponents(cell, params, carry, jnp.zeros((5, I)), KEY, **flags)
