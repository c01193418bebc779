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
from rnnlab.training import workdir

ROOT = Path(__file__).parents[2]
SMALL = ["--features=8", "--batch_size=4", "--length=10", "--steps=30"]
RARE = ["--eval_every=15", "--checkpoint_every=10", "--log_every=5", "--dropout=0.2"]


def start(name, *flags, **kwargs):
    command = [sys.executable, "-m", f"launch.{name}", *flags]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, **kwargs
    )


def run(name, *flags):
    process = start(name, *flags)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    file = tmp_path_factory.mktemp("corpus") / "text.txt"
    lines = [f"{n} bottles of beer on the wall, {n} bottles.\n" for n in range(99)]
    file.write_text("".join(lines))
    return file


@pytest.fixture(scope="module")
def flags(corpus):
    return [f"--data={corpus}", f"--cache_dir={corpus.parent / 'cache'}", *SMALL, *RARE]


@pytest.fixture(scope="module")
def finished(flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    code, out, err = run("run", *flags, f"--workdir={folder}")
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


def test_evaluation_adds_the_test_split(finished):
    folder, _, _ = finished
    code, out, err = run("evaluate", f"--workdir={folder}", "--split=test")
    assert code == 0, err
    result = json.loads((folder / "result.json").read_text())
    assert result["test"] == json.loads(out)["test"]
    valid = ["--split=valid", "--engine=scan"]
    code, out, err = run("evaluate", f"--workdir={folder}", *valid)
    loss = json.loads(out)["valid"]["loss"]
    assert loss == pytest.approx(result["valid"]["loss"], rel=1e-6)


def test_a_probe_leaves_figures_and_a_picture(finished):
    folder, _, _ = finished
    code, out, err = run("probe", f"--workdir={folder}", "--batches=2")
    assert code == 0, err
    kept = json.loads((folder / "probe.json").read_text())
    shown = json.loads(out)
    assert kept["truncation"] == shown["truncation"] and shown["split"] == "valid"
    assert len(kept["layers"][0]["curves"]["gradient_norm"]) == shown["steps"]
    assert (folder / "probe.png").read_bytes().startswith(b"\x89PNG")


def test_samples_come_from_the_checkpoint_alone(finished):
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
    finished, flags, tmp_path
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
        (["--cell=lstn"], 2, ["--cell", "lstn", "elman", "gru", "lstm"]),
        (["--experiment=images"], 2, ["--experiment", "language_modeling"]),
        (["--featurs=8"], 2, ["featurs", "features"]),
        (["features=8"], 2, ["features=8", "--"]),
        (["--learning_rate=0"], 2, ["--learning_rate", "above 0", "0.0"]),
        (["--learning_rate=nan"], 2, ["--learning_rate", "finite"]),
        (["--features=-3"], 2, ["--features", "above 0", "-3"]),
        (["--batch_size=0"], 2, ["--batch_size", "above 0"]),
        (["--dropout=1.5"], 2, ["--dropout", "below 1", "1.5"]),
        (["--data=/nowhere.txt"], 2, ["--data", "/nowhere.txt"]),
        (["--batch_size=5000"], 2, ["5000 x 10", "--batch_size", "--data"]),
        (
            ["--engine=deferred", "--cell=gru_before"],
            2,
            ["--engine=scan", "gru_before"],
        ),
        (["--engine=cudnn"], 2, ["--engine=cudnn", "cpu", "--engine=auto"]),
        (["--workdir=/proc/nothing"], 2, ["/proc/nothing", "--workdir"]),
        (["--warmup=100"], 2, ["--warmup", "--steps=30"]),
        (["--flagfile=/nowhere.flags"], 2, ["/nowhere.flags"]),
        (["--tied", "--embedding=9"], 2, ["--tied", "--embedding", "9"]),
    ],
)
def test_bad_input_is_one_line_before_anything_is_written(
    monkeypatch, flags, tmp_path, extra, code, words
):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    folder = tmp_path / "run"
    got, out, err = run("run", f"--workdir={folder}", *flags, *extra)
    assert got == code, err
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: ") and "Traceback" not in err
    for word in words:
        assert word in last
    written = {path.name for path in folder.iterdir()} if folder.exists() else set()
    assert written <= {".lock"}


@pytest.mark.parametrize(
    ("extra", "code", "words"),
    [
        ([], 2, ["--resume"]),
        (["--resume", "--features=9"], 5, ["features: 8 -> 9"]),
        (["--resume", "--cell=gru"], 5, ["cell: 'lstm' -> 'gru'"]),
        (["--resume", "--data="], 5, ["--data", "tokens"]),
    ],
)
def test_another_run_is_kept_out_of_a_workdir(finished, flags, extra, code, words):
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
    finished, flags, tmp_path
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
    assert code == 2 and err.startswith("error: A run's record")


def test_one_process_a_workdir(flags, tmp_path):
    with workdir.lock(tmp_path):
        code, _, err = run("run", f"--workdir={tmp_path}", *flags)
    assert code == 3 and str(os.getpid()) in err


def test_nothing_to_evaluate_or_sample(tmp_path):
    for name in ("evaluate", "sample", "probe"):
        code, _, err = run(name, f"--workdir={tmp_path}")
        assert code == 4 and str(tmp_path) in err and "--workdir" in err


def test_help_names_each_option():
    code, out, _ = run("run", "--help")
    assert code == 0
    for flag in ("--cell:", "--engine:", "--learning_rate:", "--data:", "--resume"):
        assert flag in out
    assert f"<{'|'.join(CELLS)}>" in "".join(out.split())  # lines are wrapped


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=3m", "none", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("this system does not let root mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_spares_older_checkpoints(flags, small_disk):
    folder = small_disk / "run"
    large = [*flags, f"--workdir={folder}", "--features=64", "--checkpoint_every=5"]
    code, _, err = run("run", *large, "--keep=50", "--steps=200")
    assert code == 7, err
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: ") and "bytes free" in last and str(folder) in last
    steps = sorted(int(p.name) for p in (folder / "checkpoints").glob("[0-9]*[0-9]"))
    assert steps
    code, out, err = run("sample", f"--workdir={folder}", "--prompt=9", "--length=5")
    assert code == 0, err
