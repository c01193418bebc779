"""A grid loses nothing: not at a signal, a kill, a full disk or a divergence."""

import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rnnlab import files
from rnnlab.errors import InputError, Preempted
from rnnlab.training import grid
from rnnlab.training.grid import RESULTS, UNDER_WAY, Group, Point
from rnnlab.training.replicas import Learner

# A number that descends to zero; it is solved when it is near, and a rate above 2
# throws it ever farther.
LEARNER = Learner(
    init=lambda key, knobs: {"w": 1 + jax.random.uniform(key, (1,))},
    gradient=lambda params, key, knobs: (
        jnp.sum(params["w"] ** 2),
        jax.tree.map(lambda w: w + 1e-3 * jax.random.normal(key, (1,)), params),
    ),
    error=lambda params, key: jnp.abs(params["w"][0]),
    optimizer=lambda knobs: optax.sgd(knobs["rate"]),
    measure=lambda params, key, knobs: params["w"],
)


def point(rate, seed=0):
    return Point({"rate": rate, "seed": seed}, seed, {"rate": rate})


def groups():
    rates = [0.5, 1e-3, 0.1, 3.0]
    return [
        Group("fast", LEARNER, tuple(map(point, rates)), 400, 20, solved=0.05),
        Group("slow", LEARNER, (point(0.02, 1), point(0.03, 1)), 50, 20),
        Group("still", LEARNER, (point(0.02, 2),), 0, 1),
    ]


def stripped(results):
    return [result._replace(seconds=0.0) for result in results]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return grid.run(groups(), folder), folder


def test_each_run_ends_as_it_should(whole):
    results, folder = whole
    fast, crawling, brisk, thrown, *slow, still = results
    assert fast.solved and fast.updates == 20 and fast.curve[-1][2] < 0.05
    assert brisk.solved and 20 < brisk.updates < 100
    assert not crawling.solved and crawling.updates == 400
    assert thrown.diverged and not thrown.solved and thrown.curve[-1][1] is None
    assert [run.updates for run in slow] == [50, 50]
    assert not any(run.solved or run.diverged for run in slow)
    assert (still.updates, still.curve) == (0, [])
    assert len(still.measured) == 1 and 1 <= still.measured[0][1][0] <= 2
    for run in results[:-1]:
        at = [*range(0, run.updates, 20), run.updates]
        assert [updates for updates, *_ in run.curve] == at[1:]
        assert [updates for updates, _ in run.measured] == at
    assert not (folder / UNDER_WAY).exists()


def test_the_file_says_the_same(whole):
    results, folder = whole
    lines = (folder / RESULTS).read_text().splitlines()
    assert len(lines) == len(results) and all(json.loads(line) for line in lines)
    known = {json.dumps(run.name): run for run in grid.read(folder)}
    for run in results:
        other = known[json.dumps(run.name)]
        assert json.dumps(other) == json.dumps(run)


def test_what_is_finished_is_never_repeated(whole, monkeypatch):
    results, folder = whole
    monkeypatch.setattr(grid, "start", None)
    monkeypatch.setattr(grid, "advance", None)
    again = grid.run(groups(), folder)
    assert json.dumps(again) == json.dumps(results)


def test_new_points_run_beside_old_ones(whole, tmp_path, monkeypatch):
    results, folder = whole
    (tmp_path / RESULTS).write_bytes((folder / RESULTS).read_bytes())
    first, *others = groups()
    more = (*first.points, point(0.2))
    wider = Group("fast", LEARNER, more, first.updates, first.every, first.solved)
    sizes = []
    advance = grid.advance
    monkeypatch.setattr(
        grid,
        "advance",
        lambda learner, count, runs: (
            sizes.append(len(runs.updates)) or advance(learner, count, runs)
        ),
    )
    again = grid.run([wider, *others], tmp_path)
    assert len(again) == len(results) + 1 and {*sizes} == {1}


@pytest.mark.parametrize("after", [1, 3, 6])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_same_call_goes_on(
    whole, tmp_path, monkeypatch, after, number
):
    advance, calls = grid.advance, []

    def interrupted(learner, count, runs):
        calls.append(count)
        if len(calls) == after:
            os.kill(os.getpid(), number)
        return advance(learner, count, runs)

    monkeypatch.setattr(grid, "advance", interrupted)
    with pytest.raises(Preempted, match="saved"):
        grid.run(groups(), tmp_path)
    monkeypatch.setattr(grid, "advance", lambda *a: calls.append(0) or advance(*a))
    results = grid.run(groups(), tmp_path)
    assert json.dumps(stripped(results)) == json.dumps(stripped(whole[0]))
    assert len(calls) == 20 + 3  # none is done twice


def test_a_damaged_save_is_put_away_and_its_runs_begin_anew(
    whole, tmp_path, monkeypatch
):
    advance = grid.advance

    def interrupted(learner, count, runs):
        os.kill(os.getpid(), signal.SIGTERM)
        return advance(learner, count, runs)

    monkeypatch.setattr(grid, "advance", interrupted)
    with pytest.raises(Preempted):
        grid.run(groups(), tmp_path)
    monkeypatch.setattr(grid, "advance", advance)
    (metadata,) = (tmp_path / UNDER_WAY).rglob("metadata.json")
    metadata.write_bytes(metadata.read_bytes() + b" ")
    results = grid.run(groups(), tmp_path)
    assert json.dumps(stripped(results)) == json.dumps(stripped(whole[0]))


def test_a_kill_between_two_saves_loses_what_is_under_way_alone(
    whole, tmp_path, monkeypatch
):
    append, seen = files.append_json, []

    def killed(path, result):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(result)
        append(path, result)

    monkeypatch.setattr(files, "append_json", killed)
    with pytest.raises(KeyboardInterrupt):
        grid.run(groups(), tmp_path)
    assert len(grid.read(tmp_path)) == 2
    with open(tmp_path / RESULTS, "a") as stream:
        stream.write('{"name": {"torn')  # a write that the kill cut off
    monkeypatch.setattr(files, "append_json", append)
    results = grid.run(groups(), tmp_path)
    for a, b in zip(results, whole[0], strict=True):
        assert (a.name, a.updates, a.solved) == (b.name, b.updates, b.solved)
        finite = [(x or 0, y or 0) for _, x, y in a.curve]
        wanted = [(x or 0, y or 0) for _, x, y in b.curve]
        np.testing.assert_allclose(finite, wanted, rtol=1e-5)


def test_points_of_one_name_are_refused(tmp_path):
    twice = Group("twice", LEARNER, (point(0.1), point(0.1)), 20, 20)
    with pytest.raises(InputError, match="twice"):
        grid.run([twice], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / RESULTS).write_text('{"name": 3}\n')
    with pytest.raises(InputError, match=f"{RESULTS}:1 should be a result"):
        grid.run(groups(), tmp_path)
