"""Numbers that are not finite reach neither a weight nor a checkpoint."""

import dataclasses
import functools
import itertools
import math
import random

import jax
import numpy as np
import pytest
from small import PLACES, Small
from starts import events

from rnnlab.errors import Diverged
from rnnlab.training import loop, step
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.leaves import digest
from rnnlab.training.settings import Training

SETTINGS = Training(
    steps=24, learning_rate=0.01, checkpoint_every=3, eval_every=6, log_every=4,
    keep=20, skip_nonfinite=2,
)  # fmt: skip
# 3e19 is finite and its square is not; 1e38 is, and a loss of its square is not.
NUMBERS = (math.nan, math.inf, -math.inf, 1e38, 3e19)


def fit(task, folder, settings=SETTINGS):
    folder.mkdir(exist_ok=True)
    return loop.fit(task, settings, folder, {}, lambda loss: {}, 4)


def finite(state):
    kept = state.params, state.optimizer, state.memory
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(kept))


@functools.cache
def update():
    return step.train_step(Small(), SETTINGS, SETTINGS.steps)


def without(bad):
    """Returns the state of a run that leaves out the updates of the steps `bad`."""
    state, batches = step.init(Small(), SETTINGS), Small().batches("train")
    for k in range(SETTINGS.steps):
        batch = next(batches)
        if k in bad:
            state = state._replace(step=state.step + 1)
        else:
            state, _ = update()(state, batch)
    return state


def runs(count):
    """Yields the faults of runs, four each: `count` in all."""
    rng = random.Random(0)
    kinds = itertools.cycle(itertools.product(NUMBERS, PLACES))
    for _ in range(count // 4):
        faults = []
        for at in sorted(rng.sample(range(SETTINGS.steps - 1), 4)):
            number, place = next(kinds)
            if place in ("carry", "loss") and math.isfinite(number):
                number = math.inf  # where it is a carry or a loss as any other
            faults.append((at, place, number))
        yield tuple(faults)


def test_a_bad_batch_is_left_out_and_nothing_else_changes(tmp_path, many, counted):
    """The run that met some is, bit for bit, the run that never saw them."""
    settings = dataclasses.replace(SETTINGS, skip_nonfinite=4)
    for k, faults in enumerate(runs(many(20, 200))):
        folder = tmp_path / str(k)
        state, _ = fit(Small(faults), folder, settings)
        steps = [at for at, _, _ in faults]
        assert digest(state) == digest(without(steps)), faults
        skipped = [event["step"] for event in events(folder, "skipped")]
        assert skipped == [at + 1 for at in steps], faults
        with Checkpoints(folder / "checkpoints", 20) as newest:
            assert len(newest.steps) == 8
            for saved in newest.steps:
                assert finite(newest.restore(state, saved))
        counted("numbers that are not finite, put in", len(faults))


@pytest.mark.parametrize("place", PLACES)
def test_too_many_in_a_row_end_the_run_and_the_last_save_is_good(tmp_path, place):
    faults = tuple((at, place, math.nan) for at in (10, 11, 12))
    with pytest.raises(Diverged, match=r"Step 13 .* number 3 in a row"):
        fit(Small(faults), tmp_path)
    state, _ = fit(
        Small(faults), tmp_path, dataclasses.replace(SETTINGS, skip_nonfinite=3)
    )
    assert digest(state) == digest(without({10, 11, 12}))


def test_a_rate_that_throws_the_weights_to_infinity_is_stopped(tmp_path):
    settings = dataclasses.replace(
        SETTINGS, learning_rate=3e38, optimizer="sgd", clip_norm=None
    )
    with pytest.raises(Diverged):
        fit(Small(), tmp_path, settings)
    like = jax.eval_shape(lambda: step.init(Small(), settings))
    with Checkpoints(tmp_path / "checkpoints", 2) as newest:
        for saved in newest.steps:
            assert finite(newest.restore(like, saved))


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad", "sgd", "lion"])
def test_gradients_whose_squares_overflow_leave_the_optimizer_finite(optimizer):
    settings = dataclasses.replace(SETTINGS, optimizer=optimizer, clip_norm=None)
    for number in (1e17, 1e18, 3e19, 1e25, 1e38):
        task = Small(((1, "gradient", number),))
        update = step.train_step(task, settings, 24)
        state, batches = step.init(task, settings), task.batches("train")
        for _ in range(3):
            state, metrics = update(state, next(batches))
        assert finite(state), number
        assert int(metrics.skipped) == 0
