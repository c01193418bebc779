"""Folders of runs: which runs they hold, and where each stands."""

import json

import pytest
from workdirs import make

from launch import runs
from rnnlab.errors import InputError
from rnnlab.training import workdir

STATES = [
    ("finished", {"loss": 1.0, "events": ["started", "finished"]}, ""),
    ("stopped", {"events": ["started", "preempted"]}, ""),
    ("stopped", {"events": ["started"]}, ""),
    ("stopped", {}, ""),
    ("diverged", {"events": ["started", ("diverged", "a NaN")]}, "a NaN"),
    ("failed", {"events": ["started", ("failed", "no room")]}, "no room"),
    ("stopped", {"events": [("failed", "no room"), "resumed"]}, ""),
    ("pruned", {"events": ["preempted", ("pruned", "worse")]}, "worse"),
    ("stopped", {"events": [("pruned", "worse"), "resumed"]}, ""),
    ("finished", {"loss": 1.0, "events": ["started", ("pruned", "worse")]}, ""),
    ("stopped", {"loss": 1.0, "events": ["finished", "resumed", "preempted"]}, ""),
    ("finished", {"loss": 1.0, "events": ["finished", "resumed", "finished"]}, ""),
    ("finished", {"loss": 1.0, "events": ["resumed", "finished"]}, ""),
    (
        "diverged",
        {"loss": 1.0, "events": ["finished", "resumed", ("diverged", "a NaN")]},
        "a NaN",
    ),
    ("failed", {"events": [("diverged", "a NaN"), ("failed", "x")]}, "x"),
]


@pytest.mark.parametrize(("state", "made", "message"), STATES)
def test_states(tmp_path, state, made, message):
    run = runs.read(make(tmp_path / "run", **made))
    assert (run.state, run.message) == (state, message)
    with workdir.lock(run.folder):
        assert runs.locked(run.folder) and runs.read(run.folder).state == "running"
    assert not runs.locked(run.folder)


def test_what_was_evaluated_alone_has_not_finished(tmp_path):
    folder = make(tmp_path / "run", events=["started"])
    (folder / "result.json").write_text(json.dumps({"test": {"loss": 1.0}}))
    run = runs.read(folder)
    assert run.state == "stopped" and run.figure("test.loss") == 1.0


def test_figures(tmp_path):
    run = runs.read(make(tmp_path / "run", loss=1.5))
    assert run.figure("valid.loss") == 1.5 and run.figure("steps") == 40
    for lacking in ("test.loss", "valid", "valid.loss.x", "experiment", ""):
        assert run.figure(lacking) is None


def test_runs_are_found_below_a_folder_and_not_in_each_other(tmp_path):
    names = ["a", "b/c", "b/d/e/f"]
    for name in names:
        make(tmp_path / name, {"seed": len(name)}, loss=1.0)
    make(tmp_path / "a" / "inside")
    make(tmp_path / "1/2/3/4/5")  # too deep
    study = tmp_path / "study"
    study.mkdir()
    (study / "config.json").write_text('{"study": "chrono", "config": {}}')
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found, unread = runs.find(tmp_path)
    assert [str(run.folder.relative_to(tmp_path)) for run in found] == names
    assert not unread
    ((alone,), _) = runs.find(tmp_path / "a")
    assert alone.folder == tmp_path / "a" and alone.settings["seed"] == 1


@pytest.mark.parametrize("text", ["", "[1]", '{"experiment": "none"}', "{"])
def test_one_damaged_run_leaves_the_others(tmp_path, text):
    make(tmp_path / "good", loss=1.0)
    (make(tmp_path / "bad") / "config.json").write_text(text)
    found, unread = runs.find(tmp_path)
    assert [run.folder.name for run in found] == ["good"]
    assert [place.name for place in unread] == ["bad"]


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="with runs was wanted, and .* no config.json"):
        runs.find(tmp_path)
    with pytest.raises(InputError, match="with runs was wanted, and .*none is none"):
        runs.find(tmp_path / "none")
