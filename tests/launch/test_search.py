"""A search by Optuna: it finds what is good, prunes what is not, outlives a kill."""

import json

import pytest
from quick import Quick
from workdirs import make

from launch import runs
from launch.parts import outcomes
from launch.sweeping import search
from launch.sweeping.board import Board
from launch.sweeping.space import Choice, Range
from rnnlab.errors import IncompatibleCheckpoint, Preempted

optuna = pytest.importorskip("optuna")
AXES = {
    "x": Range(0.0, 1.0, log=False, whole=False),
    "n": Range(1.0, 8.0, log=True, whole=True),
    "kind": Choice(("good", "bad")),
}
SCRIPT = """
rows = [json.dumps({"step": k, "valid_loss": %r + 1 / k}) for k in (1, 2, 4)]
open(folder + "/metrics.jsonl", "w").write("\\n".join(rows) + "\\n")
json.dump({"steps": 4}, open(folder + "/result.json", "w"))
"""


def loss(values):
    bad = 5 * (values["kind"] == "bad")
    return (values["x"] - 0.3) ** 2 + abs(values["n"] - 4) / 8 + bad


@pytest.fixture
def searched(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "TURN", 0.01)
    made, told = [], []

    def job(values, script=None):
        key = "-".join(map(str, values.values()))
        folder = tmp_path / "runs" / key
        if not folder.exists():
            make(folder)
        made.append(dict(values))
        return Quick(key, key, (script or SCRIPT % loss(values),), folder)

    def run(trials, make_job=job, watch=None):
        study = search.open_study(tmp_path, "this", 0)
        board = Board(trials, search.ended(study))
        if watch:
            monkeypatch.setattr(board, "watch", watch)
        ended = lambda job, end: told.append((job.key, end.state))  # noqa: E731
        search.run(study, AXES, trials, 2, make_job, board, ended)
        return study

    return run, made, told, job


def test_it_comes_closer_to_the_best(searched):
    run, made, told, _ = searched
    study = run(24)
    assert len(study.trials) == len(told) == 24
    value, values = search.best(study)
    assert value == pytest.approx(loss(values) + 1 / 4) and value < 0.4
    late = [values["kind"] for values in made[14:]]
    assert late.count("good") > late.count("bad")
    assert all(float(f"{v['x']:.4g}") == v["x"] and 1 <= v["n"] <= 8 for v in made)
    assert {type(v["n"]) for v in made} == {int}


def test_more_trials_search_on_and_do_not_repeat(searched):
    run, made, _, _ = searched
    run(3)
    first = list(made)
    study = run(6)
    assert len(study.trials) == 6 and made[:3] == first
    assert not [values for values in made[3:] if values in first]
    assert run(6) and len(made) == 6


SLOW = """
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
open(folder + "/metrics.jsonl", "w").write(json.dumps({"step": 1, "valid_loss": 99}))
open(folder + "/metrics.jsonl", "a").write("\\n")
time.sleep(60)
"""


def test_what_is_worse_than_the_median_is_pruned(searched, tmp_path):
    search_on, _, told, job = searched
    search_on(search.FIRST)
    study = search_on(search.FIRST + 1, lambda values: job(values, SLOW))
    assert told[-1][1] == "pruned"
    (run,) = [run for run in runs.find(tmp_path)[0] if run.state != "finished"]
    assert (run.state, run.message) == ("pruned", "worse than the median")
    assert outcomes.states([run, run]) == "2 runs (2 pruned)"
    last = study.trials[-1]
    assert last.state == optuna.trial.TrialState.PRUNED
    assert last.intermediate_values == {1: 99.0}


def test_a_run_that_ends_between_two_looks_is_compared_with_too(searched, monkeypatch):
    search_on, _, _, _ = searched
    monkeypatch.setattr(search, "TURN", 1.0)
    (trial,) = search_on(1).trials
    assert [*trial.intermediate_values] == [1, 2, 4]
    assert trial.intermediate_values[4] == trial.value


def test_what_failed_counts_and_is_not_the_best(searched):
    run, _, told, job = searched
    study = run(2, lambda values: job(values, "sys.exit(2)"))
    assert [state for _, state in told] == ["failed"] * 2
    assert search.best(study) is None and search.ended(study) == 2


def test_trials_under_way_go_on_after_a_stop(searched):
    run, made, told, job = searched
    waits = SLOW.replace("99", "2")

    def stop(running, waiting):
        if len(running) == 2:
            raise Preempted("as by a kill")

    with pytest.raises(Preempted):
        run(4, lambda values: job(values, waits), stop)
    lost = list(made)
    assert len(lost) == 2 and not told
    study = run(4)
    assert made[2:4] == lost and len(study.trials) == 4
    assert [state for _, state in told] == ["finished"] * 4


def test_another_search_is_refused(tmp_path):
    study = search.open_study(tmp_path, "this", 0)
    with pytest.raises(IncompatibleCheckpoint, match="a search of something else"):
        search.open_study(tmp_path, "that", 0)
    assert study.user_attrs[search.ABOUT] == "this"
    lines = (tmp_path / search.JOURNAL).read_text().splitlines()
    assert all(json.loads(line) for line in lines)  # no pickle


def test_what_tells_searches_apart():
    one = search.about("a", {"x": 1, "y": 2}, "z=0..1")
    assert one == search.about("a", {"y": 2, "x": 1}, "z=0..1")
    assert one != search.about("a", {"x": 1, "y": 2}, "z=0..2")
