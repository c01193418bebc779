"""One update: its numbers, what a NaN leaves alone, donation; and evaluation."""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.training import step
from rnnlab.training.evaluate import evaluator
from rnnlab.training.settings import Training
from rnnlab.training.task import Outcome


class Batch(NamedTuple):
    x: np.ndarray
    y: np.ndarray


@dataclasses.dataclass(frozen=True)
class Regression:
    """y = x w + b + memory, where the memory is a decaying sum of mean inputs."""

    sizes: tuple[int, ...] = (4, 4, 1)
    splits = ("train", "valid")
    steps_per_epoch = 3

    def init(self, key):
        return {"w": jax.random.normal(key, (3,)), "b": jnp.zeros(())}

    def memory(self, split):
        return {"sum": jnp.zeros(())}

    def batches(self, split, start=0):
        k = start
        while split == "train" or k < len(self.sizes):
            rng = np.random.default_rng(k)
            size = self.sizes[k % len(self.sizes)] if split == "valid" else 4
            x, y = rng.normal(size=(size, 3)), rng.normal(size=size) * 3
            yield Batch(x.astype(np.float32), y.astype(np.float32))
            k += 1

    def loss(self, params, memory, batch, key, train):
        noise = 0.1 * jax.random.normal(key) if train else 0.0
        made = batch.x @ params["w"] + params["b"] + memory["sum"] + noise
        after = {"sum": 0.5 * memory["sum"] + jnp.mean(batch.x)}
        weight = jnp.float32(len(batch.y))
        return jnp.mean((made - batch.y) ** 2), Outcome(after, weight)


TASK = Regression()
SETTINGS = Training(
    optimizer="sgd", momentum=0.9, learning_rate=0.05, clip_norm=2.0, seed=3,
    skip_nonfinite=5, schedule="constant", warmup=2,
)  # fmt: skip


@functools.lru_cache
def update():
    return step.train_step(TASK, SETTINGS, 10)


def run(batches, state=None):
    state = step.init(TASK, SETTINGS) if state is None else state
    seen = []
    for batch in batches:
        state, metrics = update()(state, batch)
        seen.append(jax.tree.map(np.asarray, metrics))
    return state, seen


def bits(tree):
    def raw(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        return np.asarray(leaf).tobytes()

    return [raw(leaf) for leaf in jax.tree.leaves(tree)]


def first(count):
    stream = TASK.batches("train")
    return [next(stream) for _ in range(count)]


def test_four_steps_by_hand():
    """Warm-up, clipping by norm, momentum, memory and noise by key, in NumPy."""
    state = step.init(TASK, SETTINGS)
    w, b = np.asarray(state.params["w"], np.float64), 0.0
    v_w, v_b, memory, key = 0.0, 0.0, 0.0, jax.random.clone(state.key)
    for k, batch in enumerate(first(4)):
        noise = 0.1 * float(jax.random.normal(jax.random.fold_in(key, k)))
        x, y = (np.asarray(part, np.float64) for part in batch)
        residual = x @ w + b + memory + noise - y
        g_w, g_b = 2 * x.T @ residual / len(y), 2 * residual.mean()
        norm = np.sqrt((g_w**2).sum() + g_b**2)
        shrink = min(1, 2 / norm)
        v_w, v_b = g_w * shrink + 0.9 * v_w, g_b * shrink + 0.9 * v_b
        rate = 0.05 * min(1, k / 2)
        w, b, memory = w - rate * v_w, b - rate * v_b, 0.5 * memory + x.mean()
        state, metrics = update()(state, batch)
        wanted = np.mean(residual**2), norm, rate, 0
        np.testing.assert_allclose(metrics, wanted, rtol=2e-5, atol=1e-7)
        np.testing.assert_allclose(state.params["w"], w, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(state.params["b"], b, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(state.memory["sum"], memory, rtol=1e-5, atol=1e-7)
        assert (int(state.step), int(state.skipped)) == (k + 1, 0)


GOLDEN = {  # by autodiff in float64 and the update rule written out
    "w": [-2.12213615, -1.77516553, -0.5507136],
    "b": -0.1396216334,
    "loss": [20.2071005265, 3.4158435859, 7.1359964502],
}


def test_the_golden_steps():
    """Fixed numbers, against a change of initial values, keys or order of terms."""
    state, seen = run(first(3))
    np.testing.assert_allclose(state.params["w"], GOLDEN["w"], rtol=1e-5)
    np.testing.assert_allclose(state.params["b"], GOLDEN["b"], rtol=1e-5)
    np.testing.assert_allclose([m.loss for m in seen], GOLDEN["loss"], rtol=1e-5)


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["x", "y"])
def test_a_bad_number_changes_nothing_but_the_counts(place, number):
    state, _ = run(first(2))
    kept = bits((state.params, state.optimizer, state.memory, state.key, state.plateau))
    good = first(3)[2]
    bad = Batch(good.x.copy(), good.y.copy())
    getattr(bad, place)[1] = number
    for skipped in (1, 2):
        state, metrics = update()(state, bad)
        assert int(state.skipped) == int(metrics.skipped) == skipped
        assert int(state.step) == 2 + skipped
        assert not np.isfinite(metrics.loss)
        assert kept == bits(
            (state.params, state.optimizer, state.memory, state.key, state.plateau)
        )
    state, metrics = update()(state, good)
    assert int(state.skipped) == int(metrics.skipped) == 0
    assert kept[:2] != bits(state.params) and np.isfinite(metrics.loss)


def test_the_buffers_of_the_state_are_taken_over():
    state = step.init(TASK, SETTINGS)
    update()(state, first(1)[0])
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_two_runs_give_the_same_bits():
    assert bits(run(first(5))) == bits(run(first(5)))


def test_stopped_and_resumed_gives_the_same_bits():
    middle, _ = run(first(2))
    stream = TASK.batches("train", start=int(middle.step))
    after, _ = run([next(stream) for _ in range(3)], middle)
    assert bits(after) == bits(run(first(5))[0])


def test_another_seed_is_another_run():
    other = step.init(TASK, dataclasses.replace(SETTINGS, seed=4))
    assert bits(other.params) != bits(step.init(TASK, SETTINGS).params)
    assert bits(other.key) != bits(step.init(TASK, SETTINGS).key)


def test_the_plateau_scales_the_rate():
    state = step.init(TASK, SETTINGS)
    scale = state.plateau._replace(scale=jnp.float32(0.25))
    later = state._replace(step=jnp.int32(7), plateau=scale)
    _, metrics = update()(later, first(1)[0])
    np.testing.assert_allclose(metrics.learning_rate, 0.05 * 0.25, rtol=1e-6)


def test_evaluation_counts_each_target_once():
    """The last batch has one row, and the memory goes from batch to batch."""
    params = TASK.init(jax.random.key(0))
    w, memory, squares = np.asarray(params["w"], np.float64), 0.0, []
    for x, y in TASK.batches("valid"):
        squares.extend((x @ w + memory - y) ** 2)
        memory = 0.5 * memory + np.mean(x, dtype=np.float64)
    evaluate = evaluator(TASK)
    assert len(squares) == 9
    np.testing.assert_allclose(evaluate(params, "valid"), np.mean(squares), rtol=1e-6)
    assert evaluate(params, "valid") == evaluate(params, "valid")


@dataclasses.dataclass(frozen=True)
class Twice(Regression):
    """A memory that is one array in two places, as some cells begin with."""

    def memory(self, split):
        zero = jnp.zeros(())
        return {"sum": zero, "other": zero}

    def loss(self, params, memory, batch, key, train):
        loss, outcome = super().loss(params, memory, batch, key, train)
        after = {**outcome.memory, "other": memory["other"] + 1}
        return loss, outcome._replace(memory=after)


def test_an_array_in_two_places_is_donated_once():
    task = Twice()
    state = step.init(task, SETTINGS)
    for batch in itertools.islice(task.batches("train"), 2):
        state, _ = step.train_step(task, SETTINGS, 10)(state, batch)
    assert state.memory["other"] == 2
    params = state.params
    assert evaluator(task)(params, "valid") == evaluator(TASK)(params, "valid")
