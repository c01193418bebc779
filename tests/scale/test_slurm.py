"""The Slurm scripts, under an `srun` that starts its tasks on this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from starts import ROOT, events

from tests.scale.jobs import LIMIT

SCRIPTS = ROOT / "launch" / "slurm"

# As slurmstepd: variables for each task, and the highest exit code of all.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
for ((k = 0; k < SLURM_NTASKS; k++)); do
  SLURM_PROCID=$k SLURM_LOCALID=$k "$@" &
  pids+=($!)
done
echo "${pids[@]}" > "$FAKE/pids"
highest=0
for pid in "${pids[@]}"; do
  wait "$pid"
  code=$?
  ((code > highest)) && highest=$code
done
exit "$highest"
"""
SCONTROL = '#!/bin/bash\necho "$@" >> "$FAKE/requeued"\n'


@pytest.fixture
def sbatch(tmp_path, free_port):
    """Returns a function that starts a script as Slurm would."""
    fake = tmp_path / "fake"
    fake.mkdir()
    python = f'#!/bin/bash\nexec {sys.executable} "$@"\n'
    for name, text in [("srun", SRUN), ("scontrol", SCONTROL), ("python", python)]:
        (fake / name).write_text(text)
        (fake / name).chmod(0o755)
    given = {
        "FAKE": str(fake),
        "PATH": f"{fake}:{os.environ['PATH']}",
        "JAX_PLATFORMS": "cpu",
        "SLURM_JOB_ID": str(free_port),  # JAX makes its port of it
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_NODES": "1",
    }

    def start(script, *arguments, **variables):
        return subprocess.Popen(
            ["bash", SCRIPTS / script, *arguments],
            cwd=ROOT,
            env=os.environ | given | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    yield start
    if (fake / "pids").exists():
        for pid in (fake / "pids").read_text().split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass


@pytest.fixture
def flags(corpus, tmp_path):
    """The lines of a sweep of two short runs."""
    shared = (
        f"--data={corpus} --cache_dir={corpus.parent / 'cache'} --features=8"
        " --batch_size=4 --length=10 --checkpoint_every=5"
    )
    return [
        f"{shared} --workdir={tmp_path / str(seed)} --seed={seed}" for seed in (1, 2)
    ]


def test_an_array_runs_its_line_and_no_other(sbatch, flags, tmp_path):
    points = tmp_path / "points.txt"
    points.write_text("".join(f"{line} --steps=20\n" for line in flags))
    process = sbatch("array.sh", points, SLURM_NTASKS="1", SLURM_ARRAY_TASK_ID="2")
    _, told = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, told
    record = json.loads((tmp_path / "2" / "config.json").read_text())
    assert record["config"]["training"]["seed"] == 2
    assert events(tmp_path / "2", "finished")[0]["step"] == 20
    assert not (tmp_path / "1").exists()
    assert not (tmp_path / "fake" / "requeued").exists()
    process = sbatch("array.sh", points, SLURM_NTASKS="1", SLURM_ARRAY_TASK_ID="3")
    _, told = process.communicate(timeout=LIMIT)
    assert process.returncode == 2 and "has no line 3; pass --array=1-2" in told


def test_several_tasks_are_stopped_requeued_and_go_on(
    sbatch, flags, tmp_path, free_port
):
    arguments, folder = [*flags[0].split(), "--steps=60"], tmp_path / "1"
    process = sbatch("multi_node.sh", *arguments, SLURM_NTASKS="2")
    began = time.monotonic()
    while not any(event["step"] >= 10 for event in events(folder, "saved")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() - began < LIMIT
        time.sleep(0.005)
    for pid in (tmp_path / "fake" / "pids").read_text().split():
        os.kill(int(pid), signal.SIGTERM)  # Slurm's, two minutes before the end
    _, told = process.communicate(timeout=LIMIT)
    assert process.returncode == 143, told
    (stop,) = events(folder, "preempted")
    requeued = (tmp_path / "fake" / "requeued").read_text()
    assert requeued == f"requeue {free_port}\n"
    process = sbatch("multi_node.sh", *arguments, SLURM_NTASKS="2")
    _, told = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, told
    assert events(folder, "resumed")[0]["step"] == stop["step"]
    assert events(folder, "finished")[0]["step"] == 60


def test_the_scripts_are_sound():
    for script in SCRIPTS.glob("*.sh"):
        subprocess.run(["bash", "-n", script], check=True)
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", script], check=True)
