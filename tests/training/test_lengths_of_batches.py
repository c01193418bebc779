"""Batches of several lengths: their rate, their resume, and one program for each."""

import dataclasses
import functools

import numpy as np
import pytest
from tiny import SETTINGS, Interrupted, make_task, same_bits, same_metrics, terminate

from rnnlab.cells import Elman
from rnnlab.data.lengths import VariedStream
from rnnlab.errors import Preempted
from rnnlab.training import loop, step

LENGTH = 8


@functools.cache
def varied():
    """Returns a task whose windows have 5, 8 and 13 steps."""
    task = make_task(Elman(3))
    ids = np.random.default_rng(0).integers(0, 11, 700).astype(np.uint8)
    train = VariedStream(ids, 2, LENGTH, 11, count=4)
    assert train.lengths == (5, 8, 13)
    return dataclasses.replace(
        task, streams=task.streams | {"train": train}, length=LENGTH
    )


def test_the_rate_is_in_proportion_and_each_length_is_compiled_once():
    task = varied()
    update = step.train_step(task, SETTINGS, 23)
    state, seen = step.init(task, SETTINGS), set()
    for _, batch in zip(range(20), task.batches("train"), strict=False):
        steps = len(batch.inputs)
        state, metrics = update(state, batch)
        wanted = SETTINGS.learning_rate * steps / LENGTH
        assert float(metrics.learning_rate) == pytest.approx(wanted)
        seen.add(steps)
    assert seen == {5, 8, 13} and update._cache_size() == 3


def test_a_resumed_run_is_the_run_without_a_stop(tmp_path):
    settings = dataclasses.replace(SETTINGS, checkpoint_every=30, eval_every=20)
    runs = {}
    for name in ("calm", "stopped"):
        (tmp_path / name).mkdir()
    fit = functools.partial(
        loop.fit, settings=settings, record={}, describe=lambda loss: {}, targets=16
    )
    runs["calm"], _ = fit(varied(), workdir=tmp_path / "calm")
    with pytest.raises(Preempted):
        fit(Interrupted(varied(), 13, terminate), workdir=tmp_path / "stopped")
    runs["stopped"], history = fit(varied(), workdir=tmp_path / "stopped")
    assert same_bits(runs["calm"], runs["stopped"])
    assert same_metrics(tmp_path / "calm", tmp_path / "stopped")
    # No program was compiled on the clock of the steps: that takes most of the run.
    assert 10 < history.train_steps < 23 and history.seconds > 1
    assert history.train_seconds < 0.2 * history.seconds
