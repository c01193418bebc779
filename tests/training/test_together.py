"""Runs side by side: each as if it were alone, and its folder too."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from tiny import SETTINGS, Interrupted, make_task, same_bits, same_metrics, terminate

from rnnlab.cells import LSTM
from rnnlab.errors import Diverged, InputError, Preempted
from rnnlab.training import events, loop, together
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.writers import read_metrics

# A validation may save each run's best, and every save syncs the disk: few of both.
PLATEAU = dataclasses.replace(
    SETTINGS, schedule="plateau", eval_every=7, checkpoint_every=8
)
KNOBS = [(0, 0.01), (1, 0.01), (1, 0.03)]  # seeds and learning rates


def make():
    return make_task(LSTM(4), layers=1)


def describe(loss):
    return {"bits": loss}


def members(folder, settings, knobs=KNOBS):
    found = []
    for place, (seed, rate) in enumerate(knobs):
        own = folder / str(place)
        own.mkdir(exist_ok=True)
        of_one = dataclasses.replace(settings, seed=seed, learning_rate=rate)
        found.append(together.Member(of_one, own, {}))
    return found


def fit(task, folder, settings, knobs=KNOBS):
    return together.fit(task, members(folder, settings, knobs), describe, 10)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    return fit(make(), folder, PLATEAU), folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Returns a function that makes a folder that of runs stopped by a signal."""
    kept = tmp_path_factory.mktemp("stopped")
    with pytest.raises(Preempted, match="after step 14, at which 3 runs are saved"):
        fit(Interrupted(make(), 13, terminate), kept, PLATEAU)
    return lambda folder: shutil.copytree(kept, folder, dirs_exist_ok=True)


def test_rates_of_dropout_are_numbers_of_one_program(tmp_path):
    """Masks are those of each run's key alone, none among them at a rate of 0."""
    settings = dataclasses.replace(SETTINGS, steps=4, eval_every=4, checkpoint_every=4)
    shares, knobs = (0.0, 0.3), [(1, 0.01)] * 2
    of_all = [
        member._replace(numbers={"dropout": share})
        for member, share in zip(
            members(tmp_path, settings, knobs), shares, strict=True
        )
    ]
    task = make()
    ends = together.fit(task, of_all, describe, 10)
    for member, share, end in zip(of_all, shares, ends, strict=True):
        alone = tmp_path / f"alone {share}"
        alone.mkdir()
        own = task.vary({"dropout": share})
        state, _ = loop.fit(own, member.settings, alone, {}, describe, 10)
        pairs = zip(
            *map(jax.tree.leaves, (end.state.params, state.params)), strict=True
        )
        for mine, wanted in pairs:
            np.testing.assert_allclose(mine, wanted, rtol=2e-4, atol=2e-5)
    first, second = (end.state.params["embedding"] for end in ends)
    assert np.abs(first - second).max() > 1e-3


def test_each_is_what_it_is_alone(undisturbed, tmp_path):
    """Up to the order of additions: figures, parameters, the best validation."""
    ends, folder = undisturbed
    member, end = members(folder, PLATEAU)[2], ends[2]
    state, history = loop.fit(make(), member.settings, tmp_path, {}, describe, 10)
    for mine, wanted in zip(
        jax.tree.leaves(end.state.params), jax.tree.leaves(state.params), strict=True
    ):
        np.testing.assert_allclose(mine, wanted, rtol=2e-4, atol=2e-5)
    assert same_bits(end.state.key, state.key)
    assert end.history.best_step == history.best_step
    assert end.history.best_loss == pytest.approx(history.best_loss, rel=1e-5)
    rows, others = (
        read_metrics(place / "metrics.jsonl") for place in (member.workdir, tmp_path)
    )
    assert [row.keys() for row in rows] == [row.keys() for row in others]
    for row, other in zip(rows, others, strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    for name in ("checkpoints", "best"):
        with (
            Checkpoints(member.workdir / name, 2) as kept,
            Checkpoints(tmp_path / name, 2) as wanted,
        ):
            assert kept.latest == wanted.latest


def test_runs_differ_in_what_they_were_told_to(undisturbed):
    ends, _ = undisturbed
    losses = {end.history.best_loss for end in ends}
    assert len(losses) == len(KNOBS)
    assert same_bits(ends[1].state.key, ends[2].state.key)  # of one seed


def test_stopped_together_they_resume_bit_for_bit(undisturbed, stopped, tmp_path):
    wanted, folder = undisturbed
    stopped(tmp_path)
    ends = fit(make(), tmp_path, PLATEAU)
    for place, (end, other) in enumerate(zip(ends, wanted, strict=True)):
        assert same_bits(end.state, other.state)
        assert same_metrics(tmp_path / str(place), folder / str(place))
        told = [e["event"] for e in events.read(tmp_path / str(place))]
        assert "numerics" not in told and told[-1] == "finished"


def test_one_goes_on_alone_and_the_others_after_it(
    undisturbed, stopped, tmp_path, capsys
):
    """As after a kill between two saves; each step has a program of its own."""
    wanted, _ = undisturbed
    stopped(tmp_path)
    one = members(tmp_path, PLATEAU)[2]
    with pytest.raises(Preempted, match="after step 18"):
        task = Interrupted(make(), 17, terminate)
        loop.fit(task, one.settings, one.workdir, {}, describe, 10)
    assert "3 runs side by side -> replicated" in capsys.readouterr().err
    ends = fit(make(), tmp_path, PLATEAU)
    for end, other in zip(ends, wanted, strict=True):
        assert int(end.state.step) == 23
        assert end.history.best_loss == pytest.approx(other.history.best_loss, rel=1e-4)


def test_one_that_diverges_leaves_the_others_alone(tmp_path):
    task = make()
    knobs = [(0, 0.01), (0, 3e38), (1, 0.01)]
    settings = dataclasses.replace(PLATEAU, optimizer="sgd", clip_norm=None)
    good, bad, other = fit(task, tmp_path, settings, knobs)
    assert isinstance(bad, Diverged) and "gave a loss of" in str(bad)
    assert events.read(tmp_path / "1")[-1]["event"] == "diverged"
    (tmp_path / "pair").mkdir()
    pair = fit(task, tmp_path / "pair", settings, [knobs[0], knobs[2]])
    for end, wanted in zip((good, other), pair, strict=True):
        assert end.history.best_loss == pytest.approx(
            wanted.history.best_loss, rel=1e-5
        )
        assert int(end.state.step) == 23


def test_all_may_diverge(tmp_path):
    settings = dataclasses.replace(PLATEAU, optimizer="sgd", clip_norm=None)
    ends = fit(make(), tmp_path, settings, [(0, 3e38), (1, 3e38)])
    assert all(isinstance(end, Diverged) for end in ends)


def test_patience_ends_each_in_its_time(tmp_path):
    """A run without gain is over; it is saved, and the others are trained on."""
    settings = dataclasses.replace(
        SETTINGS, eval_every=3, patience=2, steps=18, checkpoint_every=9
    )
    knobs = [(0, 1e-30), (0, 0.01), (1, 1e-30)]
    still, moving, _ = fit(make(), tmp_path, settings, knobs)
    assert int(still.state.step) < int(moving.state.step)
    with Checkpoints(tmp_path / "0" / "checkpoints", 2) as kept:
        assert kept.latest == int(still.state.step)
    alone = tmp_path / "alone"
    alone.mkdir()
    one = dataclasses.replace(settings, seed=0, learning_rate=0.01)
    state, _ = loop.fit(make(), one, alone, {}, describe, 10)
    assert int(state.step) == int(moving.state.step)


def test_finished_runs_are_not_trained_again(undisturbed):
    wanted, folder = undisturbed
    before = [read_metrics(folder / str(k) / "metrics.jsonl") for k in range(3)]
    ends = fit(make(), folder, PLATEAU)
    assert all(same_bits(e.state, w.state) for e, w in zip(ends, wanted, strict=True))
    after = [read_metrics(folder / str(k) / "metrics.jsonl") for k in range(3)]
    assert json.dumps(before) == json.dumps(after)


def test_what_cannot_be_one_program_is_refused(tmp_path):
    few = members(tmp_path, SETTINGS)[:2]
    other = few[1]._replace(settings=dataclasses.replace(SETTINGS, clip_norm=1.0))
    with pytest.raises(
        InputError, match="may differ in seed and learning_rate, and th"
    ):
        together.fit(make(), [few[0], other], describe, 10)
    probed = [
        m._replace(settings=dataclasses.replace(m.settings, probe_every=5)) for m in few
    ]
    with pytest.raises(InputError, match="cannot be probed, got --probe_every=5"):
        together.fit(make(), probed, describe, 10)
    timed = [
        m._replace(settings=dataclasses.replace(m.settings, max_minutes=2.0))
        for m in few
    ]
    with pytest.raises(InputError, match="no time of their own, got --max_minutes=2"):
        together.fit(make(), timed, describe, 10)
    assert not list(tmp_path.glob("*/*"))
