"""First matrices have the eigenvalues and the places that they are said to have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab import initializers
from rnnlab.cells import GRU, LSTM

H = 40
KEYS = jax.random.split(jax.random.key(3), 3)


def drawn(init, units=H):
    return np.asarray(init(KEYS[0], (units, units)))


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_identity(scale):
    np.testing.assert_array_equal(
        drawn(initializers.identity(scale)), scale * np.eye(H, dtype=np.float32)
    )


@pytest.mark.parametrize("radius", [0.95, 1.4])
def test_sparse_has_its_entries_and_its_radius(radius):
    w = drawn(initializers.sparse(15, radius))
    assert ((w != 0).sum(0) == 15).all()
    assert not np.array_equal(w[:, 0] != 0, w[:, 1] != 0)
    assert np.abs(np.linalg.eigvals(w)).max() == pytest.approx(radius, rel=5e-3)


def test_sparse_of_fewer_units_is_dense():
    assert (drawn(initializers.sparse(15), 8) != 0).all()


@pytest.mark.parametrize("units", [2, 7, H])
def test_rotations_lie_on_a_ring(units):
    w = drawn(initializers.rotations(0.9), units)
    np.testing.assert_allclose(w @ w.T, 0.81 * np.eye(units), atol=1e-6)
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(w)), 0.9, rtol=1e-6)
    assert len({*np.round(np.linalg.eigvals(w).real, 4)}) > units // 4


def test_spectral_radius_of_what_has_no_growth_or_much():
    w = np.random.default_rng(0).normal(size=(5, H, H)).astype(np.float32)
    w *= np.array([1e-6, 1e-2, 1, 1e3, 1e6], np.float32)[:, None, None]
    found = jax.jit(jax.vmap(initializers.spectral_radius))(w)
    wanted = np.abs(np.linalg.eigvals(w.astype(np.float64))).max(-1)
    np.testing.assert_allclose(found, wanted, rtol=5e-3)


@pytest.mark.parametrize(
    "init",
    [
        initializers.identity(),
        initializers.sparse(),
        initializers.rotations(),
        jax.nn.initializers.orthogonal(),
    ],
)
def test_initializers_draw_the_same_under_vmap(init):
    one_by_one = [init(key, (H, H)) for key in KEYS]
    np.testing.assert_allclose(
        jax.vmap(lambda key: init(key, (H, H)))(KEYS), one_by_one, atol=1e-5
    )


def test_recurrent_is_drawn_gate_by_gate():
    params = LSTM(H).init(KEYS[0], 3)
    again = initializers.recurrent(initializers.rotations(), KEYS[1], params)
    blocks = np.split(np.asarray(again["recurrent"]), 4, -1)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(H), atol=1e-6)
    assert np.abs(blocks[0] - blocks[1]).max() > 0.1
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(again[name], params[name])


@pytest.mark.parametrize(("cell", "write"), [(LSTM(500), 0), (GRU(500), None)])
def test_chrono_keeps_for_times_up_to_the_longest(cell, write):
    params = initializers.chrono(KEYS[0], cell.init(KEYS[1], 3), 100, 1, write)
    blocks = np.reshape(params["bias"], (-1, 500))
    times = 1 + np.exp(blocks[1])  # sigma(b) = 1 - 1 / T
    assert 2 <= times.min() < 4 and 97 < times.max() <= 100
    assert abs(np.mean(times) - 51) < 3
    for k, block in enumerate(blocks):
        if k == write:
            np.testing.assert_array_equal(block, -blocks[1])
        elif k != 1:
            assert not jnp.any(block)
