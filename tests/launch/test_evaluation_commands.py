"""Figures with intervals, launch.adapt, launch.breakdown: as a person starts them."""

import json

import numpy as np
import pytest

from launch import results
from rnnlab.errors import InputError

SMALL = ["--features=8", "--batch_size=4", "--length=10", "--steps=20", "--dropout=0.2"]


@pytest.fixture(scope="module")
def folder(run, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    given = [f"--data={corpus}", f"--cache_dir={corpus.parent / 'cache'}", *SMALL]
    given.append("--fractions=80/0/20")
    code, _, err = run("run", *given, f"--workdir={folder}")
    assert code == 0, err
    return folder


def result(folder):
    return json.loads((folder / "result.json").read_text())


def test_figures_have_intervals_and_masks(run, folder):
    code, out, err = run("evaluate", f"--workdir={folder}", "--masks=3")
    assert code == 0, err
    found = result(folder)["test"]
    assert found == json.loads(out)["test"]
    low, high = found["95% interval"]["perplexity"]
    assert low < found["perplexity"] < high
    alone = found["masks"]["loss_alone"]
    assert len(alone) == 3 and found["masks"]["loss"] < max(alone)


def test_other_rows_are_another_figure(run, folder):
    before = result(folder).get("test")
    code, out, err = run("evaluate", f"--workdir={folder}", "--eval_batch_size=1")
    assert code == 0, err
    found = result(folder)
    assert found["test_of_1_rows"] == json.loads(out)["test_of_1_rows"]
    assert found.get("test") == before


def test_each_way_is_kept(run, folder):
    flags = ["--dynamic=rms", "--statistics=2", "--cache_size=30", "--cache_theta=0.5"]
    code, out, err = run("adapt", f"--workdir={folder}", *flags)
    assert code == 0, err
    found = result(folder)["test_adapted"]
    ways = ["plain", "dynamic", "cache", "dynamic and cache"]
    assert all(f'"{way}": {{' in out for way in ways)
    assert [*found] == ways
    assert found["dynamic"]["dynamic_rate"] == 3e-5
    assert found["cache"]["cache_theta"] == 0.5
    assert found["cache"]["loss"] < found["plain"]["loss"]


def test_a_way_takes_the_place_of_its_like_alone(run, folder):
    before = result(folder)["test_adapted"]
    for rows in (1, 2):
        flags = ["--dynamic=sgd", f"--eval_batch_size={rows}"]
        code, _, err = run("adapt", f"--workdir={folder}", *flags)
        assert code == 0, err
    after = result(folder)
    assert after["test_adapted"]["cache"] == before["cache"]
    assert after["test_adapted"]["dynamic"]["dynamic"] == "sgd"
    assert [*after["test_adapted_of_2_rows"]] == ["plain", "dynamic"]


def test_a_loss_that_is_not_finite_is_no_figure():
    costs = np.array([1.0, np.inf, 2.0, np.nan])
    with pytest.raises(InputError, match="target of test, got inf for 2 of 4; take"):
        results.measured(None, costs, "test")


def test_a_breakdown_leaves_figures_pictures_and_a_page(run, folder):
    flags = ["--split=test", "--shown=50", "--most=5"]
    code, out, err = run("breakdown", f"--workdir={folder}", *flags)
    assert code == 0, err
    kept = json.loads((folder / "breakdown.json").read_text())
    assert kept == json.loads(out)
    assert len(kept["dearest_tokens"]) == len(kept["dearest_places"]) == 5
    for groups in kept["by"].values():
        assert sum(group["share"] for group in groups) == pytest.approx(1)
    for name in ("breakdown", "calibration"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"{name}.svg").read_bytes().startswith(b"<?xml")
    assert (folder / "tokens.html").read_text().count(' nats">') == 50


def test_what_cannot_be_followed_is_one_line(run, folder):
    flags = ["--cache_size=9", "--tune"]
    code, _, err = run("adapt", f"--workdir={folder}", *flags)
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1
    assert "--tune needs a split valid to choose on" in err
    code, _, err = run("evaluate", f"--workdir={folder}", "--split=valid")
    assert code == 2 and "run's data has (train, test), got valid; name an" in err
    flags = ["--data=/moved", "--split=test"]
    code, _, err = run("evaluate", f"--workdir={folder}", *flags)
    assert code == 2 and "'/moved' does not exist; check" in err
    for flag, wanted in (("statistics=9", "dynamic=rms"), ("tune_tokens=9", "tune")):
        given = f"--workdir={folder}", "--dynamic=sgd", f"--{flag}"
        code, _, err = run("adapt", *given)
        name = flag.partition("=")[0]
        assert code == 2 and f"--{name} needs --{wanted}; add that" in err


def test_nothing_to_measure(run, tmp_path):
    code, _, err = run("adapt", f"--workdir={tmp_path}", "--cache_size=9")
    assert code == 2 and str(tmp_path) in err and err.count("\n") == 1
