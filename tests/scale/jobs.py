"""Runs of several processes on this machine, each held to a time."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 150.0  # seconds


class Job:
    """The processes of one run of `launch.run`; a context manager that leaves none."""

    def __init__(self, count, workdir, flags, **more):
        with socket.socket() as one:
            one.bind(("localhost", 0))
            port = one.getsockname()[1]
        self.workdir = Path(workdir)
        given = flags | {"workdir": workdir} | more
        joined = {"coordinator": f"localhost:{port}", "processes": count}
        self.processes = [
            start(
                "launch.run", given | joined | {"process_id": k} if count > 1 else given
            )
            for k in range(count)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        for process in self.processes:
            process.kill()
            process.wait()
            process.told.unlink()

    def until(self, event, step):
        """Returns when the run has come so far."""
        began = time.monotonic()
        while not any(e["step"] >= step for e in events(self.workdir, event)):
            codes = [process.poll() for process in self.processes]
            assert codes == [None] * len(codes), self.ends()
            assert time.monotonic() - began < LIMIT
            time.sleep(0.005)

    def send(self, k, number=signal.SIGTERM):
        """Sends a signal to one process."""
        self.processes[k].send_signal(number)

    def ends(self):
        """Returns exit code and standard error of each process."""
        return [ended(process) for process in self.processes]

    def done(self):
        """Waits for a good end."""
        ends = self.ends()
        assert {code for code, _ in ends} == {0}, ends
        return ends


def start(module, flags, **env):
    """Starts `python -m MODULE --FLAG=VALUE ...` with one device."""
    arguments = [
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in flags.items()
    ]
    file, path = tempfile.mkstemp()  # a pipe would fill
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "NPROC": "1"} | env,
        stdout=subprocess.DEVNULL,
        stderr=file,
    )
    os.close(file)
    process.told = Path(path)
    return process


def ended(process):
    """Returns exit code and standard error; a process over its time is killed."""
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode, process.told.read_text(errors="replace")


def events(workdir, name):
    """Returns the events of one name, in order."""
    file = Path(workdir) / "events.jsonl"
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [event for event in map(json.loads, lines) if event["event"] == name]


def final(workdir):
    """Returns step and hash of the last end that a run came to."""
    last = events(workdir, "finished")[-1]
    return last["step"], last["hash"]


def metrics(workdir):
    """Returns the rows of metrics."""
    lines = (Path(workdir) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
