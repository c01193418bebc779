"""Runs of several processes on this machine, each held to a time."""

import json
import signal
import socket
from pathlib import Path

from starts import events

LIMIT = 150.0  # seconds


class Job:
    """The processes of one run of `launch.run`; a context manager that leaves none."""

    def __init__(self, server, count, workdir, flags, **more):
        with socket.socket() as one:
            one.bind(("localhost", 0))
            port = one.getsockname()[1]
        self.workdir = Path(workdir)
        given = flags | {"workdir": workdir} | more
        joined = {"coordinator": f"localhost:{port}", "processes": count}
        self._ends = {}
        self.processes = [
            start(server, given | joined | {"process_id": k} if count > 1 else given)
            for k in range(count)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        for k, process in enumerate(self.processes):
            if k not in self._ends:
                process.send(signal.SIGKILL)
                process.wait()

    def until(self, event, step):
        """Returns when the run has come so far."""
        for process in self.processes:
            process.until(
                lambda: any(e["step"] >= step for e in events(self.workdir, event)),
                LIMIT,
            )

    def send(self, k, number=signal.SIGTERM):
        """Sends a signal to one process."""
        self.processes[k].send(number)

    def ends(self):
        """Returns exit code and standard error of each process."""
        for k, process in enumerate(self.processes):
            self._ends[k] = process.wait(LIMIT)
        return [(end.code, end.err) for end in self._ends.values()]

    def done(self):
        """Waits for a good end."""
        ends = self.ends()
        assert {code for code, _ in ends} == {0}, ends
        return ends


def start(server, flags):
    """Starts a process of a run, with one device."""
    return server.start("run", env={"NPROC": "1"}, **flags)


def metrics(workdir):
    """Returns the rows of metrics."""
    lines = (Path(workdir) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
