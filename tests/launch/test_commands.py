"""The commands as a person starts them: outcomes, exit codes, messages."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rnnlab.cells import CELLS

ROOT = Path(__file__).parents[2]
SMALL = ["--features=8", "--batch_size=4", "--length=10", "--steps=30"]
RARE = ["--eval_every=15", "--checkpoint_every=10", "--log_every=5", "--dropout=0.2"]


def start(name, *flags, **kwargs):
    last = {flag.partition("=")[0]: flag for flag in flags}  # of several, as in a table
    command = [sys.executable, "-m", f"launch.{name}", *last.values()]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, **kwargs
    )


def by_hand(name, *flags):
    """Returns what the fixture `run` does, of a process with all its imports."""
    process = start(name, *flags)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def flags(corpus):
    return [f"--data={corpus}", f"--cache_dir={corpus.parent / 'cache'}", *SMALL, *RARE]


@pytest.fixture(scope="module")
def finished(flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    code, out, err = by_hand("run", *flags, f"--workdir={folder}")
    assert code == 0, err
    return folder, out, err


def test_a_run_leaves_its_record(finished):
    folder, out, err = finished
    names = {path.name for path in folder.iterdir()}
    wanted = {"best", "checkpoints", "config.json", "curves.png", "metrics.jsonl"}
    assert names >= wanted | {"result.json", "tensorboard"}
    result = json.loads((folder / "result.json").read_text())
    assert result == json.loads(out)
    assert result["steps"] == 30 and result["best_step"] in (15, 30)
    bits = result["valid"]["bits_per_char"]
    assert bits == pytest.approx(result["valid"]["loss"] / 0.6931471805599453)
    # Embedding and output layer over the text's characters, and one LSTM of 8 units.
    vocabulary = _vocabulary(folder)
    assert result["parameters"] == vocabulary * (8 + 8 + 1) + 4 * 8 * (8 + 8 + 1)
    assert {"python", "jax", "flax"} <= result["versions"].keys()
    config = json.loads((folder / "config.json").read_text())
    assert config["config"]["features"] == 8
    assert config["data"] == result["data"]
    text = Path(config["config"]["data"]).read_bytes()
    assert result["data"]["sha256"] == {"whole": hashlib.sha256(text).hexdigest()}
    assert "Traceback" not in err and "tokens/s" in err


def _vocabulary(folder):
    config = json.loads((folder / "config.json").read_text())
    return len(set(Path(config["config"]["data"]).read_text()))


def test_evaluation_adds_the_test_split(run, finished):
    folder, _, _ = finished
    code, out, err = run("evaluate", f"--workdir={folder}", "--split=test")
    assert code == 0, err
    result = json.loads((folder / "result.json").read_text())
    assert result["test"] == json.loads(out)["test"]
    valid = ["--split=valid", "--engine=scan"]
    code, out, err = run("evaluate", f"--workdir={folder}", *valid)
    loss = json.loads(out)["valid"]["loss"]
    assert loss == pytest.approx(result["valid"]["loss"], rel=1e-6)


def test_a_probe_leaves_figures_and_a_picture(run, finished):
    folder, _, _ = finished
    code, out, err = run("probe", f"--workdir={folder}", "--batches=2")
    assert code == 0, err
    kept = json.loads((folder / "probe.json").read_text())
    shown = json.loads(out)
    assert kept["truncation"] == shown["truncation"] and shown["split"] == "valid"
    assert len(kept["layers"][0]["curves"]["gradient_norm"]) == shown["steps"]
    assert (folder / "probe.png").read_bytes().startswith(b"\x89PNG")


def test_samples_come_from_the_checkpoint_alone(run, finished):
    folder, _, _ = finished
    flags = [f"--workdir={folder}", "--prompt=9 bottles", "--length=40"]
    code, first, err = run("sample", *flags, "--seed=3")
    assert code == 0, err
    assert first.startswith("9 bottles") and len(first) == len("9 bottles") + 40 + 1
    code, again, _ = run("sample", *flags, "--seed=3", "--top_p=0.9", "--top_k=5")
    assert code == 0 and again != first
    code, out, err = run("sample", *flags, "--prompt=Привет")
    assert code == 2
    assert "'П'" in err and err.startswith("error: ") and err.count("\n") == 1


def test_a_signal_saves_and_a_resume_ends_as_if_there_had_been_none(
    run, finished, flags, tmp_path
):
    process = start("run", *flags, f"--workdir={tmp_path}", "--log_every=1")
    metrics = tmp_path / "metrics.jsonl"
    while not (metrics.exists() and metrics.read_text().count("\n") > 2):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    # The run may have come to its end before the signal was seen.
    assert process.returncode in (143, 0)
    if process.returncode == 143:
        assert re.search(r"error: Stopped by SIGTERM after step \d+, .*--resume", err)
    resume = [*flags, f"--workdir={tmp_path}", "--log_every=1", "--resume"]
    code, out, err = run("run", *resume)
    assert code == 0, err
    folder, reference, _ = finished
    keys = ("valid", "best_step", "steps", "data")
    assert {k: json.loads(out)[k] for k in keys} == {
        k: json.loads(reference)[k] for k in keys
    }


@pytest.mark.parametrize(
    ("extra", "code", "words"),
    [
        ([], 2, ["--resume"]),
        (["--resume", "--features=9"], 5, ["features: 8 -> 9"]),
        (["--resume", "--cell=gru"], 5, ["cell: 'lstm' -> 'gru'"]),
        (["--resume", "--data="], 5, ["--data", "tokens"]),
    ],
)
def test_another_run_is_kept_out_of_a_workdir(run, finished, flags, extra, code, words):
    folder, _, _ = finished
    before = _contents(folder)
    got, out, err = run("run", f"--workdir={folder}", *flags, *extra)
    assert got == code, err
    assert all(word in err for word in words)
    assert _contents(folder) == before


def _contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if path.name != ".lock"}


def test_a_run_is_known_by_its_checkpoint_where_its_config_is_gone(
    run, finished, flags, tmp_path
):
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    (folder / "config.json").unlink()
    code, _, err = run("run", f"--workdir={folder}", *flags)
    assert code == 2 and "--resume" in err
    code, _, err = run("run", f"--workdir={folder}", *flags, "--resume", "--l2=1")
    assert code == 5 and "l2: 0.0 -> 1.0" in err
    (folder / "config.json").write_text("{}")
    code, _, err = run("run", f"--workdir={folder}", *flags, "--resume")
    assert code == 2 and err.startswith("error: /")
    assert "config.json should be the record of a run" in err and "Delete it" in err
    (folder / "config.json").write_text('{"torn')
    code, _, err = run("run", f"--workdir={folder}", *flags, "--resume")
    assert code == 2 and "config.json should be the record" in err


def test_nothing_to_evaluate_or_sample(run, tmp_path):
    for name in ("evaluate", "sample", "probe"):
        code, _, err = run(name, f"--workdir={tmp_path}")
        assert code == 2 and str(tmp_path) in err and "--workdir" in err


def test_a_flag_is_given_once():
    command = [sys.executable, "-m", "launch.run", "--workdir=x", "--notied", "--tied"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert (
        ended.stderr
        == "error: --tied must be given once, got it again; leave one out\n"
    )


def test_help_names_each_option():
    code, out, _ = by_hand("run", "--help")
    assert code == 0
    for flag in ("--cell:", "--engine:", "--learning_rate:", "--data:", "--resume"):
        assert flag in out
    assert f"<{'|'.join(CELLS)}>" in "".join(out.split())  # lines are wrapped
