"""The loop on a small language model: it resumes bit for bit, and stops in order."""

import dataclasses
import itertools
import math
import types

import jax
import numpy as np
import pytest
from tiny import (
    SETTINGS,
    Interrupted,
    make_task,
    same_bits,
    same_metrics,
    terminate,
)

from rnnlab.cells import GRU, LSTM
from rnnlab.errors import Diverged, Preempted
from rnnlab.training import keeper, loop
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.history import History
from rnnlab.training.writers import read_metrics


def fit(task, folder, settings=SETTINGS):
    folder.mkdir(exist_ok=True)
    return loop.fit(task, settings, folder, {}, lambda loss: {"bits": loss}, 10)


CASES = {
    "lstm, adam": (LSTM(4), SETTINGS),
    "gru, plateau": (
        GRU(4),
        dataclasses.replace(
            SETTINGS, schedule="plateau", optimizer="sgd", momentum=0.9, eval_every=2
        ),
    ),
}


@pytest.fixture(scope="module", params=CASES)
def undisturbed(request, tmp_path_factory):
    cell, settings = CASES[request.param]
    folder = tmp_path_factory.mktemp("undisturbed")
    state, history = fit(make_task(cell), folder, settings)
    return cell, settings, state, history, folder


def test_a_signal_during_a_validation_saves_too(undisturbed, tmp_path):
    cell, settings, wanted, _, folder = undisturbed
    task = Interrupted(make_task(cell), 1, terminate, split="valid")
    every = settings.eval_every
    with pytest.raises(Preempted, match=f"SIGTERM after step {every}, "):
        fit(task, tmp_path, settings)
    assert Checkpoints(tmp_path / "checkpoints", 2).latest == every
    state, _ = fit(make_task(cell), tmp_path, settings)
    assert same_bits(state, wanted)
    assert same_metrics(tmp_path, folder)


def test_a_validation_that_is_not_a_number_is_never_the_best():
    history = History()
    assert not history.validated(1, math.nan)
    assert history.validated(2, 3.0) and not history.validated(3, math.nan)
    assert (history.best_loss, history.best_step, history.since_best) == (3.0, 2, 1)


@pytest.mark.parametrize("at", [0, 13, 21])
def test_a_stopped_run_resumes_bit_for_bit(undisturbed, tmp_path, at):
    cell, settings, wanted, history, folder = undisturbed
    with pytest.raises(Preempted, match=f"SIGTERM after step {at + 1}, .* --resume"):
        fit(Interrupted(make_task(cell), at, terminate), tmp_path, settings)
    state, resumed = fit(make_task(cell), tmp_path, settings)
    assert same_bits(state, wanted)
    assert same_metrics(tmp_path, folder)
    assert (resumed.best_loss, resumed.best_step) == (
        history.best_loss,
        history.best_step,
    )


def test_a_crash_resumes_from_the_last_checkpoint_bit_for_bit(undisturbed, tmp_path):
    cell, settings, wanted, _, folder = undisturbed

    class Crash(Exception):
        pass

    def crash(batch):
        raise Crash

    with pytest.raises(Crash):
        fit(Interrupted(make_task(cell), 14, crash), tmp_path, settings)
    assert Checkpoints(tmp_path / "checkpoints", 2).latest == 12
    state, _ = fit(make_task(cell), tmp_path, settings)
    assert same_bits(state, wanted)
    assert same_metrics(tmp_path, folder)


def test_a_finished_run_stays_as_it_is(undisturbed):
    cell, settings, wanted, history, folder = undisturbed
    metrics = (folder / "metrics.jsonl").read_bytes()
    again, restored = fit(make_task(cell), folder, settings)
    assert same_bits(again, wanted)
    assert restored == dataclasses.replace(history, seconds=restored.seconds)
    assert (folder / "metrics.jsonl").read_bytes() == metrics


def test_a_longer_run_goes_on_from_a_shorter_one(undisturbed, tmp_path):
    cell, settings, wanted, _, _ = undisturbed
    fit(make_task(cell), tmp_path, dataclasses.replace(settings, steps=9))
    state, _ = fit(make_task(cell), tmp_path, settings)
    # The end at step 9 is validated, which a plateau counts; nothing else differs.
    if settings.schedule != "plateau":
        assert same_bits(state, wanted)


def test_rows_and_the_best_checkpoint(undisturbed):
    _, _, _, history, tmp_path = undisturbed
    rows = read_metrics(tmp_path / "metrics.jsonl")
    losses = {row["step"]: row["valid_loss"] for row in rows if "valid_loss" in row}
    best = min(losses, key=losses.get)
    assert history.best_loss == losses[best] and history.best_step == best
    kept = Checkpoints(tmp_path / "best", 1).steps
    # Older ones are those that the newest checkpoints named when this one was saved.
    assert kept[-1] == best and len(kept) <= 1 + SETTINGS.keep + 1
    assert Checkpoints(tmp_path / "checkpoints", 2).steps == [20, 23]
    logged = [row for row in rows if "loss" in row]
    assert [row["step"] for row in logged] == list(range(3, 24, 3))
    assert all(row["grad_norm"] > 0 for row in logged)


def spoil(batch):
    return batch._replace(mask=np.zeros_like(batch.mask))  # a mean over nothing: NaN


def test_a_nan_ends_the_run_and_names_the_step(tmp_path):
    with pytest.raises(Diverged) as error:
        fit(Interrupted(make_task(LSTM(4)), 6, spoil), tmp_path)
    for word in ("Step 7", "nan", "number 1 in a row", "--learning_rate"):
        assert word in str(error.value)


def test_a_nan_may_be_skipped(tmp_path):
    settings = dataclasses.replace(SETTINGS, skip_nonfinite=1)
    state, _ = fit(Interrupted(make_task(LSTM(4)), 6, spoil), tmp_path, settings)
    assert int(state.step) == 23 and int(state.skipped) == 0
    leaves = jax.tree.leaves((state.params, state.memory))
    assert all(np.isfinite(leaf).all() for leaf in leaves)


def test_patience_ends_the_run_and_outlasts_a_resume(tmp_path):
    settings = dataclasses.replace(
        SETTINGS, learning_rate=1e-9, eval_every=1, patience=2, steps=500
    )
    state, history = fit(make_task(LSTM(4)), tmp_path, settings)
    assert history.since_best == 2 and int(state.step) < 500
    again, _ = fit(make_task(LSTM(4)), tmp_path, settings)
    assert int(again.step) == int(state.step)


def test_time_ends_the_run_in_order_and_outlasts_a_resume(tmp_path, monkeypatch):
    """The clock counts the steps of all parts of the run; here, as it is asked."""
    told = itertools.count()
    clock = types.SimpleNamespace(perf_counter=lambda: float(next(told)))
    monkeypatch.setattr(keeper, "time", clock)
    settings = dataclasses.replace(
        SETTINGS, steps=10**6, eval_every=50, checkpoint_every=50, max_minutes=0.5
    )
    task = make_task(LSTM(4))
    with pytest.raises(Preempted):
        fit(Interrupted(task, 6, terminate), tmp_path, settings)
    before = History.from_json(newest(tmp_path).metadata["history"])
    assert 0 < before.train_seconds < 30
    state, history = fit(task, tmp_path, settings)
    last = int(state.step)
    assert 7 < last < 50 and 30 <= history.train_seconds < 40
    assert history.validated_at == newest(tmp_path).step == last
    again, _ = fit(task, tmp_path, settings)
    assert same_bits(again, state)
    more = dataclasses.replace(settings, steps=last + 1, max_minutes=None)
    longer, _ = fit(task, tmp_path, more)
    assert int(longer.step) == last + 1


@pytest.mark.parametrize("every", [1, 2, 5])
def test_time_ends_a_run_that_validates_often(every, tmp_path, monkeypatch):
    told = itertools.count()
    clock = types.SimpleNamespace(perf_counter=lambda: float(next(told)))
    monkeypatch.setattr(keeper, "time", clock)
    settings = dataclasses.replace(
        SETTINGS, steps=200, eval_every=every, checkpoint_every=200, max_minutes=0.5
    )
    state, history = fit(make_task(LSTM(4)), tmp_path, settings)
    assert int(state.step) < 60 and 30 <= history.train_seconds < 40
    assert history.train_steps == int(state.step) - 1  # the first is compiled


def newest(folder):
    return Checkpoints(folder / "checkpoints", 2).open()


def test_without_a_validation_split_the_newest_checkpoint_is_kept(tmp_path):
    task = make_task(LSTM(4))
    task = dataclasses.replace(task, streams={"train": task.streams["train"]})
    _, history = fit(task, tmp_path)
    assert history.best_loss is None
    assert Checkpoints(tmp_path / "best", 1).steps == []
    assert Checkpoints(tmp_path / "checkpoints", 2).latest == 23


def test_validation_is_the_mean_over_each_target_once(tmp_path):
    task = make_task(LSTM(4))
    state, history = fit(task, tmp_path, dataclasses.replace(SETTINGS, steps=5))
    stream = task.streams["valid"]
    total, weight = 0.0, 0
    carries = task.model.initial((3,))
    for batch in stream:
        carries, logits = task.model.apply(
            {"params": state.params}, carries, batch.inputs
        )
        log_p = np.asarray(jax.nn.log_softmax(logits))
        nats = -np.take_along_axis(log_p, batch.targets[..., None], -1)[..., 0]
        total += nats[batch.mask].sum()
        weight += batch.mask.sum()
    assert weight == 99
    assert math.isclose(history.best_loss, total / weight, rel_tol=1e-6)
