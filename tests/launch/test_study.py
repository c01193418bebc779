"""`launch.study` as a person starts it."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = ["--study=lyapunov", "--features=8", "--seeds=1", "--points=2", "--steps=12"]
LONG = ["--study=temporal_order", "--lengths=10", "--seeds=1", "--features=4"]


def start(*flags):
    last = {flag.partition("=")[0]: flag for flag in flags}  # of several, as in a table
    command = [sys.executable, "-m", "launch.study", *last.values()]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(scope="module")
def finished(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    code, out, err = run("study", *TINY, f"--workdir={folder}")
    assert code == 0, err
    return folder, out


def test_a_study_leaves_its_report(finished):
    folder, out = finished
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "results.jsonl", "report.html", "table.md"} <= names
    assert json.loads((folder / "config.json").read_text())["study"] == "lyapunov"
    assert {"tanh.png", "tanh.svg", "lstm.png", "spectra.svg"} <= names
    assert str(folder / "report.html") in out and "eproduced" in out
    page = (folder / "report.html").read_text()
    text = re.sub("<[^>]*>", "", page)
    assert "--study=lyapunov" in text and "Commit" in text
    assert len((folder / "results.jsonl").read_text().splitlines()) == 12


def test_a_second_start_repeats_nothing(run, finished):
    folder, _ = finished
    results = (folder / "results.jsonl").read_bytes()
    code, _, err = run("study", *TINY, f"--workdir={folder}")
    assert code == 0, err
    assert (folder / "results.jsonl").read_bytes() == results


def test_the_page_of_claims_has_what_was_found(finished, tmp_path):
    folder, _ = finished
    page = tmp_path / "claims.md"
    command = [sys.executable, "-m", "launch.claims", f"--page={page}"]
    done = subprocess.run(
        [*command, f"--runs={folder.parent}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    found = json.loads((folder / "findings.json").read_text())
    for part in ("title", "claim", "protocol", "verdict", "table", "source"):
        assert found[part].strip() in text
    assert "--study=lyapunov" in text and str(folder) not in text
    assert "(#lyapunov-exponents-the-edge-of-chaos)" in text
    done = subprocess.run(
        [*command, f"--runs={tmp_path}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2 and "run launch.study" in done.stderr
    assert page.read_text() == text


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ([*TINY, "--steps=16"], 5, "steps: 12 -> 16"),
        (["--study=irnn"], 5, "holds lyapunov, not irnn"),
        (["--study=nothing"], 2, "nothing"),
        ([*TINY, "--points=1"], 2, "--points must be above 1"),
        (["--study=temporal_order", "--lengths=5"], 2, "at least 10"),
        (["--study=jsb"], 2, "--data must name a file"),
        (["--study=jsb", "--data=/no/where.json"], 2, "/no/where.json"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, finished, flags, code, said):
    folder, _ = finished
    before = {p: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    got, _, err = run("study", *flags, f"--workdir={folder}")
    assert got == code and said in err and err.count("\n") == 1, err
    for path, content in before.items():
        assert path.name == ".lock" or path.read_bytes() == content


def test_help_names_studies_and_flags(run):
    code, out, _ = run("study", "--study=irnn", "--help")
    assert code == 0
    for word in ("temporal_order", "--learning_rates", "--workdir", "of Adam"):
        assert word in out


@pytest.mark.parametrize("number", [signal.SIGINT])
def test_ctrl_c_loses_nothing(tmp_path, number):
    flags = [*LONG, "--updates=200000", "--every=50", f"--workdir={tmp_path}"]
    process = start(*flags)
    deadline = time.monotonic() + 120
    while "step" not in (line := process.stderr.readline()):
        assert process.poll() is None and time.monotonic() < deadline, line
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143 and "goes on from there" in err, err
    (saved,) = [p for p in (tmp_path / "under_way").iterdir() if p.name.isdecimal()]
    metadata = json.loads((saved / "metadata.json").read_text())["metadata"]
    assert metadata["updates"] == int(saved.name) > 0
    assert not (tmp_path / "report.html").exists()
