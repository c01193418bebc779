"""Ratios and shares by hand; the noise of gradients whose covariance is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from one_cell import near

from rnnlab.probes import updates

PARAMS = {"stack": {"kernel": np.array([[3.0, 4.0]]), "bias": np.zeros(2)}}
CHANGE = {"stack": {"kernel": np.array([[0.0, 0.5]]), "bias": np.ones(2)}}


def test_ratios_are_of_norms_by_path():
    found = jax.jit(updates.ratios)(PARAMS, CHANGE)
    near(found["stack/kernel"], 0.1)
    assert np.isinf(found["stack/bias"]) and found.keys() == {
        "stack/kernel",
        "stack/bias",
    }
    near(updates.ratio(PARAMS, CHANGE), np.sqrt(2.25) / 5)
    near(updates.norm({"a": np.array([3 + 4j])}), 5.0)


def test_the_noise_is_that_of_the_distribution():
    """Examples of mean m and covariance C: trace C and |m|^2, in the mean."""
    rng, draws, parts, size = np.random.default_rng(0), 20_000, 4, 3
    mean, deviation = np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, 3.0])
    examples = mean + deviation * rng.normal(size=(draws, parts, size, 3))
    found = jax.jit(jax.vmap(lambda g: updates.noise({"a": g}, size)))(examples.mean(2))
    trace, signal = (np.mean(np.array(a, np.float64)) for a in found)
    near([trace, signal], [np.sum(deviation**2), np.sum(mean**2)], 0.02)
    one = updates.Noise(jnp.array(6.0), jnp.array(2.0))
    assert one.scale == 3


def test_the_noise_of_two_parts_is_the_formula_of_the_paper():
    """McCandlish et al., appendix A.1, equations A.2 and A.3."""
    parts, size = np.array([[1.0, 0.0], [0.0, 2.0]]), 4
    small, big = np.mean(np.sum(parts**2, 1)), np.sum(parts.mean(0) ** 2)
    wanted = (small - big) / (1 / 4 - 1 / 8), (8 * big - 4 * small) / (8 - 4)
    near(updates.noise(jnp.array(parts), size), updates.Noise(*map(np.array, wanted)))


def test_one_part_has_no_noise():
    with pytest.raises(ValueError, match="2 parts of a batch or more, got 1"):
        updates.noise({"a": jnp.ones((1, 3))}, 4)


def test_the_clip_fraction_is_what_lies_above():
    assert updates.clip_fraction(jnp.array([1.0, 5.0, 6.0, 7.0]), 5.0) == 0.5


def test_norms_of_what_has_no_square():
    for size, wanted in ((1e-30, 5e-30), (0, 0), (1e30, 5e30), (np.inf, np.inf)):
        found = updates.norm({"a": jnp.float32(3 * size), "b": jnp.float32(4 * size)})
        np.testing.assert_allclose(found, np.float32(wanted), rtol=1e-6)
    assert np.isnan(updates.norm({"a": jnp.array([np.nan, 1.0])}))
