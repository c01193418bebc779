"""What cells begin with, and the hyperparameters that they refuse."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NAMES, H, I, make
from one_cell import near

from rnnlab.cells import GRU, LRU, LSTM, ConvLSTM, Elman, GRUBefore
from rnnlab.engines import Scan

T, B = 7, 2


WIDE_IN, WIDE = 48, 40


@functools.lru_cache  # not compiled as a whole: what cells have in common is
def init_wide(cell, seed):
    return cell.init(jax.random.key(seed), WIDE_IN)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"conv_lstm", "lru"}))
def test_initial_parameters(name):
    params = init_wide(make(name, WIDE), 3)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    gates = params["kernel"].shape[-1] // WIDE
    bound = np.sqrt(6 / (WIDE_IN + WIDE))
    for block in np.split(np.asarray(params["kernel"]), gates, -1):
        assert np.abs(block).max() <= bound
        assert abs(block.std() / (bound / np.sqrt(3)) - 1) < 0.05
    blocks = [
        block
        for layer in np.reshape(params.get("recurrent", []), (-1, WIDE, gates * WIDE))
        for block in np.split(layer, gates, -1)
    ]
    for block in blocks:
        near(block.T @ block, np.eye(WIDE), 1e-5)
    for other in blocks[1:]:
        assert np.abs(blocks[0] - other).max() > 0.1
    bias = np.zeros(gates * WIDE)
    bias[WIDE : 2 * WIDE] = {"rhn": -2, "mingru": 0}.get(name, "lstm" in name)
    for layer in np.reshape(params["bias"], (-1, gates * WIDE)):
        np.testing.assert_array_equal(layer, bias)
    for other in set(params) - {"kernel", "recurrent", "bias"}:
        np.testing.assert_array_equal(params[other], float("scale" in other))


def test_initial_windows_are_glorot_by_gate():
    params = init_wide(ConvLSTM(WIDE, size=(4, 4)), 3)
    for part, channels in (("kernel", WIDE_IN), ("recurrent", WIDE)):
        assert params[part].shape == (3, 3, channels, 4 * WIDE)
        bound = np.sqrt(6 / (9 * (channels + WIDE)))
        for block in np.split(np.asarray(params[part]), 4, -1):
            assert np.abs(block).max() <= bound
            assert abs(block.std() / (bound / np.sqrt(3)) - 1) < 0.05
    np.testing.assert_array_equal(params["bias"], np.repeat([0, 1, 0, 0], WIDE))


def test_initial_eigenvalues_are_on_their_ring():
    cell = LRU(2000, smallest=0.5, largest=0.99, angle=np.pi / 2)
    params = cell.init(jax.random.key(0), WIDE_IN)
    u = cell.project(params, jnp.zeros(WIDE_IN))
    a, b = cell.coefficients(params, u)
    assert np.abs(a).min() >= 0.5 - 1e-6 and np.abs(a).max() <= 0.99 + 1e-6
    # Uniform on the ring: the square of the modulus is uniform, and so is the angle.
    quarters = np.quantile(np.abs(a) ** 2, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(
        quarters, 0.25 + (0.99**2 - 0.25) * np.array([0.25, 0.5, 0.75]), atol=0.03
    )
    np.testing.assert_allclose(
        np.quantile(np.angle(a), [0, 0.5, 1]), [0, np.pi / 4, np.pi / 2], atol=0.05
    )
    gamma = np.exp(params["log_gamma"])
    np.testing.assert_allclose(gamma, np.sqrt(1 - np.abs(a) ** 2), rtol=1e-3)
    assert not np.any(b)
    for part, variance in (
        ("kernel", 1 / (2 * WIDE_IN)), ("readout", 1 / 2000), ("skip", 1 / WIDE_IN)
    ):  # fmt: skip
        assert np.var(params[part]) == pytest.approx(variance, rel=0.03)


def test_a_whole_ring_has_finite_parameters():
    for seed in range(20):
        params = LRU(WIDE).init(jax.random.key(seed), 1)
        assert all(np.isfinite(leaf).all() for leaf in params.values())


@pytest.mark.parametrize("name", ["gru", "lstm", "rhn"])
def test_decomposes_one_matrix_at_a_time(name):
    """Batches of decompositions at once, as of two layers, may never end on a CPU."""
    cell = make(name)
    seeds = jax.vmap(lambda key: cell.init(key, I))
    keys = jax.random.split(jax.random.key(0), 2)
    lowered = jax.jit(seeds).lower(keys).as_text()
    calls = [line for line in lowered.splitlines() if "@lapack" in line]
    assert calls
    assert all(f"(tensor<{H}x{H}xf32>" in line for line in calls), calls
    drawn = seeds(keys)
    for one, key in enumerate(keys):
        for leaf, alone in zip(
            jax.tree.leaves(drawn), jax.tree.leaves(cell.init(key, I)), strict=True
        ):
            np.testing.assert_allclose(leaf[one], alone, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_drawn_by_the_key(name):
    cell = make(name, WIDE)
    params, again = init_wide(cell, 0), cell.init(jax.random.key(0), WIDE_IN)
    jax.tree.map(np.testing.assert_array_equal, params, again)
    for part in {"kernel", "recurrent"} & params.keys():
        assert not np.array_equal(params[part], init_wide(cell, 1)[part])


def test_forget_bias_is_what_was_asked_for():
    bias = init_wide(LSTM(WIDE, forget_bias=2.5), 0)["bias"]
    np.testing.assert_array_equal(bias, np.repeat([0, 2.5, 0, 0], WIDE))


@pytest.mark.parametrize("value", [0, -1, True, 2.5, "8", None])
@pytest.mark.parametrize("kind", [Elman, GRU, GRUBefore, LSTM])
def test_bad_features_are_named(kind, value):
    with pytest.raises(ValueError) as error:
        kind(value)
    for part in (kind.__name__, "features", repr(value)):
        assert part in str(error.value)


def test_bad_activation_is_named():
    with pytest.raises(ValueError, match=r"activation.*tanh.*'cosine'"):
        Elman(H, activation="cosine")


@pytest.mark.parametrize("size", [(), (4, 0), 4, (2, 2, 2, 2), [4]])
def test_bad_grid_is_named(size):
    with pytest.raises(ValueError, match="ConvLSTM needs size"):
        ConvLSTM(H, size=size)


def test_bad_window_is_named():
    with pytest.raises(ValueError, match=r"window.*4"):
        ConvLSTM(H, size=(4,), window=4)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_grid_of_any_axes_equals_its_convolution(axes):
    """Against a sum over the window's points, each shifted."""
    rng = np.random.default_rng(0)
    size = (4, 3, 2)[:axes]
    cell = ConvLSTM(2, size=size)
    params = {
        "kernel": jnp.array(rng.normal(size=(*(3,) * axes, I, 8)), jnp.float32),
        "bias": jnp.zeros(8),
    }
    x = rng.normal(size=(2, *size, I)).astype(np.float32)
    wide = np.pad(x, [(0, 0)] + [(1, 1)] * axes + [(0, 0)])
    wanted = 0
    for offset in np.ndindex((3,) * axes):
        window = tuple(slice(o, o + n) for o, n in zip(offset, size, strict=True))
        wanted = wanted + wide[(slice(None), *window)] @ params["kernel"][offset]
    near(cell.project(params, x), wanted, 1e-4)


def test_another_grid_is_named():
    cell = ConvLSTM(H, size=(4, 4))
    params = cell.init(jax.random.key(0), I)
    carry, x = cell.initial((B,)), jnp.zeros((T, B, 1, 1, I))
    with pytest.raises(ValueError, match=r"4, 4, I\].*size of the grid"):
        Scan()(cell, params, carry, x)


BAD_RINGS = [{"smallest": 0.9, "largest": 0.5}, {"largest": 1.1}, {"smallest": -0.1}]


@pytest.mark.parametrize("ring", [*BAD_RINGS, {"angle": 0.0}, {"angle": 7.0}])
def test_bad_ring_is_named(ring):
    with pytest.raises(ValueError, match=f"LRU needs.*{list(ring)[0]}"):
        LRU(H, **ring)
