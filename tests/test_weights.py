"""Weight drop and weight normalisation: their equations, gradients and errors."""

import functools

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.cells import CELLS, LSTM
from rnnlab.engines import Scan
from rnnlab.weights import Normed, norm_merge, norm_split, weight_drop

I, H = 3, 5  # noqa: E741
NAMES = [name for name in cases.NAMES if name in CELLS]


@functools.lru_cache
def draw(name, seed=0):
    """Returns params of a cell, no entry zero."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda key: CELLS[name](H).init(key, I), jax.random.key(0))
    return {
        name: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32)
        for name, leaf in shapes.items()
    }


WIDE = {"recurrent": jnp.ones((40, 160)), "kernel": jnp.ones((40, 160))}


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0.01, 0.99))
def test_weight_drop_keeps_a_share_and_the_mean(seed, rate):
    dropped = weight_drop(jax.random.key(seed), WIDE, rate)
    assert dropped["kernel"] is WIDE["kernel"]
    entries, size = np.asarray(dropped["recurrent"]), WIDE["recurrent"].size
    kept = entries != 0
    np.testing.assert_allclose(entries[kept], 1 / (1 - rate), rtol=1e-6)
    deviation = np.sqrt(rate * (1 - rate) * size)
    assert abs(kept.sum() - (1 - rate) * size) < 5 * deviation


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"lru", "mingru"}))
def test_weight_drop_takes_the_params_of_any_cell(name):
    params = draw(name)
    dropped = weight_drop(jax.random.key(0), params, 0.5)
    assert dropped.keys() == params.keys()
    for part, leaf in params.items():
        kept = np.asarray(dropped[part]) != 0
        assert kept.any() and kept.all() == (part != "recurrent")
        scale = 2 if part == "recurrent" else 1
        np.testing.assert_array_equal(dropped[part], np.where(kept, scale * leaf, 0))
        assert dropped[part].dtype == leaf.dtype


@pytest.mark.parametrize("name", NAMES)
def test_a_rate_of_zero_changes_nothing(name):
    params = draw(name)
    dropped = weight_drop(jax.random.key(0), params, 0.0, tuple(params))
    assert dropped.keys() == params.keys()
    assert all(dropped[part] is params[part] for part in params)


def test_a_mask_is_known_by_the_key_and_the_name_alone():
    def mask(part, seed, names, params=WIDE):
        dropped = weight_drop(jax.random.key(seed), params, 0.5, names)
        return np.asarray(dropped[part]) != 0

    both, turned = ("recurrent", "kernel"), ("kernel", "recurrent")
    alone = mask("recurrent", 0, ("recurrent",))
    np.testing.assert_array_equal(mask("recurrent", 0, ("recurrent",)), alone)
    np.testing.assert_array_equal(mask("recurrent", 0, both), alone)
    np.testing.assert_array_equal(mask("recurrent", 0, turned), alone)
    other = WIDE | {"recurrent": 3 * WIDE["recurrent"], "bias": jnp.ones(2)}
    np.testing.assert_array_equal(mask("recurrent", 0, both, other), alone)
    for unlike in (mask("kernel", 0, both), mask("recurrent", 1, both)):
        assert 0.4 < (unlike == alone).mean() < 0.6


def test_gradients_reach_the_kept_weights_alone():
    cell, rate = LSTM(H), 0.4
    params = draw("lstm")
    x = jax.random.normal(jax.random.key(1), (6, 2, I))

    @jax.jit
    def grads(params):
        def loss(params):
            return jnp.sum(Scan()(cell, params, cell.initial((2,)), x)[1] ** 2)

        def dropped(params):
            return weight_drop(jax.random.key(0), params, rate)

        through = jax.grad(lambda params: loss(dropped(params)))(params)
        return through, dropped(params), jax.grad(loss)(dropped(params))

    through, dropped, after = grads(params)
    kept = np.asarray(dropped["recurrent"]) != 0
    assert 0 < kept.sum() < kept.size
    assert (np.abs(after["recurrent"]) > 0).all()
    wanted = np.where(kept, after["recurrent"] / (1 - rate), 0)
    np.testing.assert_allclose(through["recurrent"], wanted, rtol=1e-5)
    for part in ("kernel", "bias"):
        np.testing.assert_allclose(through[part], after[part], rtol=1e-5)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_a_bad_rate_is_named(rate):
    with pytest.raises(ValueError, match=rf"weight_drop.*below 1, got {rate};"):
        weight_drop(jax.random.key(0), draw("lstm"), rate)


@pytest.mark.parametrize(
    "transform", [functools.partial(weight_drop, jax.random.key(0), rate=0), norm_split]
)
def test_a_missing_name_is_named_with_those_there_are(transform):
    wanted = r"kernel, recurrent, got bias, kernel; leave recurrent out"
    with pytest.raises(ValueError, match=wanted):
        transform(draw("mingru"), names=("kernel", "recurrent"))


@pytest.mark.parametrize("name", NAMES)
def test_split_and_merged_params_are_the_same(name):
    params = draw(name)
    names = tuple({"kernel", "recurrent"} & params.keys())
    split = norm_split(params, names)
    assert {part for part, leaf in split.items() if isinstance(leaf, Normed)} == {
        *names
    }
    for part in names:
        w = np.asarray(params[part])
        assert split[part].g.shape == w.shape[:-2] + w.shape[-1:]
        np.testing.assert_allclose(split[part].g, np.sqrt((w**2).sum(-2)), rtol=1e-6)
    merged = norm_merge(split)
    assert list(merged) == list(params)
    for part, leaf in params.items():
        np.testing.assert_array_equal(merged[part], leaf)


FLOATS = st.floats(-3, 3).filter(lambda a: abs(a) > 1e-3)


@jax.jit
def merge_and_pull_back(v, g, d_w):
    w, pullback = jax.vjp(lambda *leaf: norm_merge({"w": Normed(*leaf)})["w"], v, g)
    return w, pullback(d_w)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(
    v=st.lists(FLOATS, min_size=12, max_size=12),
    g=st.lists(FLOATS, min_size=3, max_size=3),
    d_w=st.lists(FLOATS, min_size=12, max_size=12),
)
def test_the_gradient_is_the_papers_and_orthogonal_to_the_direction(v, g, d_w):
    """Equation 3 of Salimans and Kingma; a column is what they call w."""
    v, d_w = (np.array(a).reshape(4, 3) for a in (v, d_w))
    with jax.enable_x64(True):
        w, (d_v, d_g) = merge_and_pull_back(v, np.array(g), d_w)
    length = np.sqrt((v**2).sum(0))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9)
    close(w, g * v / length)
    close(np.sqrt((np.asarray(w) ** 2).sum(0)), np.abs(g))
    close(d_g, (d_w * v).sum(0) / length)
    close(d_v, g / length * d_w - g * np.asarray(d_g) / length**2 * v)
    close((np.asarray(d_v) * v).sum(0), 0)


def test_a_column_of_zeros_stays_and_is_no_nan():
    w = draw("lstm")["kernel"].at[:, 1].set(0)
    split = norm_split({"w": w}, ["w"])["w"]
    merged, (d_v, d_g) = merge_and_pull_back(*split, jnp.ones_like(w))
    np.testing.assert_allclose(merged, w, rtol=1e-6)
    assert np.isfinite(d_v).all() and np.isfinite(d_g).all()
    assert not np.asarray(d_v[:, 1]).any() and d_g[1] == 0
    assert np.asarray(d_v[:, 0]).all() and d_g[0] != 0


def test_a_vector_has_no_columns_to_normalise():
    with pytest.raises(ValueError, match=r"matrices.*bias of shape \(20,\); leave it"):
        norm_split(draw("lstm"), ("kernel", "bias"))


def test_drop_after_merge_is_drop():
    params, key = draw("lstm"), jax.random.key(0)
    dropped = weight_drop(key, norm_merge(norm_split(params)), 0.5)
    for part, leaf in weight_drop(key, params, 0.5).items():
        np.testing.assert_array_equal(dropped[part], leaf)
