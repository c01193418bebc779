"""Jacobians of steps: their product is that of the run; spectra as they must be."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NAMES, cast, draw, make
from one_cell import near
from sizes import I

from rnnlab.cells import LRU, BatchNormLSTM, Elman
from rnnlab.engines import Scan
from rnnlab.probes import jacobians

T = 6
KEY = jax.random.key(0)


def row(name):
    """Returns params, carry and x of one row, in double precision."""
    return cast(draw(name, T, ())[0], "float64")


def of_run(cell, params, carry, x):
    """Returns d carry_T / d carry_0, each complex number as two."""
    leaves, structure = jax.tree.flatten(carry)

    def parts(leaves):
        found = [[a.real, a.imag] if jnp.iscomplexobj(a) else [a] for a in leaves]
        return jnp.concatenate([p.ravel() for each in found for p in each])

    def last(state):
        own, at = [], 0
        for a in leaves:
            count = a.size * (2 if jnp.iscomplexobj(a) else 1)
            p = state[at : at + count].reshape(-1, *a.shape)
            own.append(p[0] + 1j * p[1] if jnp.iscomplexobj(a) else p[0])
            at += count
        after, _ = Scan()(cell, params, structure.unflatten(own), x)
        return parts(jax.tree.leaves(after))

    return jax.jacrev(last)(parts(leaves))


@pytest.mark.parametrize("name", NAMES)
def test_their_product_is_the_jacobian_of_the_run(name):
    cell = make(name)
    with jax.enable_x64(True):
        inputs = row(name)
        found = jax.jit(functools.partial(jacobians.steps, cell))(*inputs)
        (whole,) = jacobians.products(found, T)
        near(whole, jax.jit(functools.partial(of_run, cell))(*inputs), 1e-10)
        halves = jacobians.products(found, T // 2)
        near(halves[1] @ halves[0], whole, 1e-10)
        assert len(jacobians.products(found, 4)) == 1


@pytest.mark.parametrize("name", ["lstm", "lru"])
def test_the_largest_singular_values_need_no_matrix(name):
    cell = make(name)
    with jax.enable_x64(True):
        inputs = row(name)
        few = functools.partial(jacobians.largest_singular_values, cell, count=2)
        found = jax.jit(functools.partial(few, rounds=40))(*inputs, KEY)
        wanted = np.linalg.svd(of_run(cell, *inputs), compute_uv=False)[:2]
        near(found, wanted, 1e-6)


def test_the_spectrum_of_known_matrices():
    found = jacobians.spectrum(jnp.array([np.eye(3), np.diag([4.0, -2.0, 1.0])]))
    wanted = [[1, 4], [1, 2], [1, 1], [1, 4], [0, np.sqrt((15**2 + 3**2) / 3)]]
    near(found, jacobians.Spectrum(*np.array(wanted)))


def test_rows_by_vmap():
    cell, x = Elman(4), jax.random.normal(KEY, (T, 2, I))
    params, carry = cell.init(KEY, I), cell.initial((2,))
    each = jax.jit(functools.partial(jacobians.steps, cell, params))
    found = jax.jit(jax.vmap(each, in_axes=(0, 1)))(carry, x)
    near(found[1], each(carry[1], x[:, 1]), 1e-6)
    spectra = jacobians.spectrum(found)
    assert spectra.largest.shape == (2, T)


def test_a_linear_cell_passes_on_its_coefficients():
    cell = LRU(4)
    params = cell.init(KEY, I)
    a, _ = cell.coefficients(params, cell.project(params, jnp.zeros(I)))
    each = jax.jit(functools.partial(jacobians.steps, cell))
    found = each(params, cell.initial(()), jnp.ones((T, I)))
    values = np.linalg.eigvals(found[0])
    near(np.sort(np.abs(values)), np.sort(np.repeat(np.abs(a), 2)), 1e-5)


def test_a_cell_whose_rows_see_each_other_is_named():
    cell = BatchNormLSTM(4)
    params = cell.init(KEY, I)
    with pytest.raises(TypeError, match="one row was wanted, and BatchNormLSTM"):
        jacobians.steps(cell, params, cell.initial(()), jnp.ones((T, I)))


@pytest.mark.parametrize("window", [0, -1, T + 1])
def test_a_window_that_does_not_fit_is_named(window):
    with pytest.raises(ValueError, match=rf"window of 1 to {T} steps, got {window}"):
        jacobians.products(jnp.zeros((T, 2, 2)), window)
