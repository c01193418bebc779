"""Means of parameters: their numbers in NumPy, when they begin, and who uses them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import SETTINGS, Interrupted, make_task, same_bits, terminate

from rnnlab.cells import Elman
from rnnlab.errors import Preempted
from rnnlab.training import averaging, loop, step, together
from rnnlab.training.averaging import Averaging
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.evaluate import evaluator

TASK = make_task(Elman(3))
EPOCH = TASK.steps_per_epoch  # 29


def settings(**changes):
    return dataclasses.replace(SETTINGS, averaging=Averaging(**changes))


def shares_of_ema(count):
    shares = 0.8 ** np.arange(count)[::-1]
    return shares / shares.sum()


def equal(count):
    return np.full(count, 1 / count)


# What is asked, the shares of n steps, and the step whose parameters come first.
MEANS = [
    (dict(average="ema", average_decay=0.8), shares_of_ema, 0),
    (dict(average="swa", average_after=0), equal, 0),
    (dict(average="swa", average_after=1), equal, EPOCH),
    (dict(average="asgd", nonmonotone=0), equal, 0),
]


@pytest.mark.parametrize(
    ("asked", "shares", "first"), MEANS, ids=["ema", "swa", "swa later", "asgd"]
)
def test_the_mean_is_that_of_numpy(asked, shares, first):
    knobs = settings(**asked)
    update = step.train_step(TASK, knobs, 40)
    state, seen = step.init(TASK, knobs), []
    assert same_bits(state.used, state.params)
    for k, batch in zip(range(EPOCH + 4), TASK.batches("train"), strict=False):
        state, _ = update(state, batch)
        seen.append([np.asarray(leaf) for leaf in jax.tree.leaves(state.params)])
        if k < first:
            assert same_bits(state.used, state.params)
    of_mean = np.array(seen[first:], object)
    assert int(state.average.steps) == len(of_mean)
    wanted = (shares(len(of_mean))[:, None] * of_mean).sum(0)
    for mean, leaf in zip(jax.tree.leaves(state.used), wanted, strict=True):
        np.testing.assert_allclose(mean, leaf.astype(np.float32), rtol=2e-5, atol=1e-6)
    assert not same_bits(state.used, state.params)


def test_an_update_that_is_not_made_is_not_counted():
    knobs = settings(average="asgd", nonmonotone=0)
    batches = TASK.batches("train")
    update = step.train_step(TASK, knobs, 40)
    state, _ = update(step.init(TASK, knobs), next(batches))
    scale = jnp.float32(jnp.nan)
    bad = state._replace(plateau=state.plateau._replace(scale=scale))
    kept = jax.tree.map(np.asarray, bad.average)
    after, _ = update(bad, next(batches))
    assert int(after.skipped) == 1 and same_bits(after.average, kept)


# Losses of validations, how many of the newest do not count, and when it is pulled.
PULLED = [
    ([3, 2, 1, 0.5], 1, None),
    ([3, 2, 2.5], 1, None),  # worse than the last alone, which does not count
    ([3, 2, 2.5, 2.1], 1, 3),
    ([3, 2, 2, 2, 2], 1, None),  # no worse than the best
    ([1, 5, 4, 3], 2, 3),  # at first there is none to be worse than
    ([1, 5, 4, 0.5, 0.6, 0.7], 3, None),
    ([1, 5, 4, 0.5, 0.6, 0.7, 0.8, 0.55], 3, 7),
    ([1, np.nan, np.nan, 2], 1, 3),
    ([1, 2, np.nan], 1, None),
]


@pytest.mark.parametrize(("losses", "newest", "when"), PULLED, ids=str)
def test_the_mean_of_asgd_begins_when_validations_stop_to_gain(losses, newest, when):
    asked = Averaging(average="asgd", nonmonotone=newest)
    _, trigger = averaging.begin(asked, {})
    found = []
    for loss in losses:
        trigger = averaging.heed(trigger, loss)
        found.append(bool(trigger.pulled))
    wanted = len(losses) if when is None else when
    assert found == [k >= wanted for k in range(len(losses))]


def test_without_a_mean_the_state_has_nothing_more():
    state = step.init(TASK, SETTINGS)
    assert state.average == state.trigger == () and state.used is state.params


# Its rate is high: that of adam would gain in each of its few validations.
ASGD = dataclasses.replace(
    settings(average="asgd", nonmonotone=1),
    optimizer="sgd", learning_rate=3.0, steps=20, eval_every=3, checkpoint_every=10,
)  # fmt: skip


def fit(task, folder, knobs=ASGD):
    folder.mkdir()
    return loop.fit(task, knobs, folder, {}, lambda loss: {}, 10)


def test_it_is_validated_kept_and_resumed_bit_for_bit(tmp_path):
    state, history = fit(TASK, tmp_path / "calm")
    assert bool(state.trigger.pulled) and 0 < int(state.average.steps) < 18
    with Checkpoints(tmp_path / "calm" / "best", 1) as best:
        kept = best.open().restore(jax.eval_shape(lambda: step.init(TASK, ASGD)))
    assert evaluator(TASK)(kept.used, "valid") == history.best_loss
    folder = tmp_path / "stopped"
    with pytest.raises(Preempted):
        fit(Interrupted(TASK, 16, terminate), folder)
    again, _ = loop.fit(TASK, ASGD, folder, {}, lambda loss: {}, 10)
    assert same_bits(again, state)
    own = tmp_path / "together"
    own.mkdir()
    (beside,) = together.fit(
        TASK, [together.Member(ASGD, own, {})], lambda loss: {}, 10
    )
    assert int(beside.state.average.steps) == int(state.average.steps)
    assert beside.history.best_loss == pytest.approx(history.best_loss, rel=1e-4)
