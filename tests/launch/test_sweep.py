"""The command itself: kills lose nothing, and bad input writes nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from launch import runs, tables
from rnnlab.training import events

ROOT = Path(__file__).parents[2]
SMALL = ["--features=8", "--batch_size=4", "--length=10", "--steps=60"]
RARE = ["--eval_every=20", "--checkpoint_every=10", "--log_every=5"]
LIMIT = 240.0


@pytest.fixture(scope="module")
def flags(corpus):
    return [f"--data={corpus}", f"--cache_dir={corpus.parent / 'cache'}", *SMALL, *RARE]


def start(name, *flags):
    command = [sys.executable, "-m", f"launch.{name}", *flags]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def hashes(folder):
    """Returns the final hash of each run, by its cell."""
    return {
        run.settings["cell"]: events.read(run.folder)[-1]["hash"]
        for run in runs.find(folder)[0]
    }


def test_kills_lose_nothing(run, flags, tmp_path):
    """The sweep and a run are killed; the others go on, and a new start ends them."""
    folder = tmp_path / "sweep"
    given = [*flags, "--grid=cell=lstm,gru", f"--workdir={folder}"]
    sweep = start("sweep", *given)
    began = time.monotonic()
    while not (saved := list(folder.glob("runs/*/checkpoints/10"))):
        assert sweep.poll() is None, sweep.communicate()
        assert time.monotonic() - began < LIMIT
        time.sleep(0.05)
    workers = psutil.Process(sweep.pid).children()
    owner = json.loads((saved[0].parents[1] / ".lock").read_text())["pid"]
    os.kill(sweep.pid, signal.SIGKILL)
    os.kill(owner, signal.SIGKILL)
    sweep.communicate()
    assert owner in [worker.pid for worker in workers]
    code, out, err = run("sweep", *given)
    assert code == 0, err
    assert (
        "2/2  finished" in err.replace("2/2 finished", "2/2  finished")
        and "Traceback" not in err
    )
    assert out.splitlines()[0].split()[:3] == ["cell", "runs", "mean"]
    assert {run.state for run in runs.find(folder)[0]} == {"finished"}

    # Once more: nothing is repeated.
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/*.json")}
    code, out, err = run("sweep", *given)
    assert code == 0 and "finished" not in err
    assert before == {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*.json")}

    # What a killed run ends in is what one that was left alone ends in.
    alone = tmp_path / "alone"
    code, _, err = run("run", *flags, "--cell=lstm", f"--workdir={alone}")
    assert code == 0, err
    assert hashes(folder)["lstm"] == hashes(alone)["lstm"]
    assert "valid.loss of finished runs" in tables.text(tables.read(folder))


def test_seeds_and_rates_are_trained_as_one_program(run, flags, tmp_path):
    folder, alone = tmp_path / "sweep", tmp_path / "alone"
    given = [*flags, "--grid=learning_rate=0.01,0.03", "--together=8"]
    code, out, err = run("sweep", *given, f"--workdir={folder}")
    assert code == 0, err
    assert err.splitlines()[-1].startswith("2/2 finished learning_rate=")
    found, _ = runs.find(folder)
    assert [run.result["together"] for run in found] == [2, 2]
    code, _, err = run("run", *flags, "--learning_rate=0.03", f"--workdir={alone}")
    assert code == 0, err
    (other,) = (r for r in found if r.settings["learning_rate"] == 0.03)
    mine = runs.read(alone)
    for metric in ("valid.loss", "best_step", "steps", "parameters"):
        assert other.figure(metric) == pytest.approx(mine.figure(metric), rel=1e-5)
    # It is a workdir as any other.
    code, out, err = run("evaluate", f"--workdir={other.folder}", "--split=valid")
    assert code == 0, err
    loss = json.loads(out)["valid"]["loss"]
    assert loss == pytest.approx(mine.figure("valid.loss"), rel=1e-5)


def test_a_plan_is_printed_and_nothing_is_written(run, flags, tmp_path):
    folder = tmp_path / "sweep"
    given = [*flags, "--ablate=dropout=0.5;layers=2", "--seeds=2", "--dry_run"]
    code, out, err = run("sweep", *given, f"--workdir={folder}")
    assert code == 0, err
    head, *points, last = out.splitlines()
    assert head.split() == ["point", "parameters", "steps", "operations", "seconds"]
    assert [line.split("  ")[0] for line in points[:3]] == [
        "seed=0",
        "dropout=0.5, seed=0",
        "layers=2, seed=0",
    ]
    size, steps, operations = points[0].split()[1:4]
    targets = 6 * int(size.replace(",", "")) * 60 * 4 * 10
    assert int(steps) == 60 and float(operations) == pytest.approx(targets, rel=0.05)
    assert "GFLOP/s of a large product here" in last and not folder.exists()


def test_a_sweep_of_which_all_diverge_says_so(run, flags, tmp_path):
    given = [*flags, "--optimizer=sgd", "--clip_norm=none", "--grid=learning_rate=1e38"]
    given.append(f"--workdir={tmp_path / 'sweep'}")
    code, out, err = run("sweep", *given)
    assert code == 0 and "1/1 diverged learning_rate=1e+38: Step " in err, err
    assert "of the 1 runs in" in out and "0 are finished" in out, out
    code, out, err = run("sweep", *given, "--dry_run")
    assert code == 0 and "1 point, 1 ended." in out, (out, err)
    assert " make 0 that are left" in out


BAD = {
    ("--grid=cel=lstm",): "did you mean cell",
    ("--grid=cell=lstmm",): "did you mean lstm",
    ("--grid=",): "needs --grid",
    ("--seeds=1001",): "has 1,001; pass --yes",
    ("--ablate=features=8",): "features=8 is base again",
    ("--seeds=2", "--data=/none"): "/none",
    ("--seeds=2", "--executor=slurm"): "needs Slurm's commands",
    ("--seeds=2", "--workdir=/proc/none"): "folder that can be written is wanted",
}


def test_bad_input_is_told_in_a_line_and_writes_nothing(run, flags, tmp_path):
    folder = tmp_path / "sweep"
    for given in BAD:
        code, out, err = run("sweep", *flags, f"--workdir={folder}", *given)
        assert code == 2 and not out, (given, err)
        (line,) = err.splitlines()
        assert line.startswith("error: ") and BAD[given] in line, line
    assert not folder.exists()


def test_one_sweep_a_folder(run, flags, tmp_path):
    """Another sweep is refused by its points, a second start by the lock."""
    (tmp_path / "sweep.json").write_text(
        json.dumps(
            {
                "experiment": "language_modeling",
                "plan": {},
                "base": "0",
                "points": [{"run": "0", "name": "cell=rhn", "changed": {}}],
            }
        )
    )
    code, _, err = run("sweep", *flags, "--seeds=2", f"--workdir={tmp_path}")
    assert code == 5 and "1 are not among these 2, such as cell=rhn" in err
    assert not (tmp_path / "runs").exists()
