"""Commands as processes that can be watched, stopped and killed."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT = 120.0  # seconds a command may take, unless told otherwise


@dataclasses.dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def error(self):
        """The last line that it wrote to standard error."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


class Started:
    """A command under way."""

    def __init__(self, server, pid, folder):
        self.pid = pid
        self._server, self._folder = server, folder
        self._began = time.monotonic()

    def send(self, number):
        """Sends a signal to it, and to all that it started."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # it has not made its group yet
            os.kill(self.pid, number)

    def until(self, holds, limit=LIMIT):
        """Returns when `holds()`; fails where the command ends, or takes too long."""
        began = time.monotonic()
        while not holds():
            assert self.state != "Z" or holds(), f"{self.pid} has ended"
            assert time.monotonic() - began < limit, f"{self.pid} takes too long"
            time.sleep(0.002)

    @property
    def state(self):
        """T where it is stopped, Z where it has ended: see proc(5)."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2][1]

    def wait(self, limit=LIMIT):
        """Returns how it ended; a command over its limit is killed, and code is -9."""
        timer = threading.Timer(limit, lambda: self.send(signal.SIGKILL))
        timer.start()
        code = self._server.ask({"wait": self.pid})
        timer.cancel()
        seconds = time.monotonic() - self._began
        out, err = (
            (self._folder / name).read_text(errors="replace") for name in ("out", "err")
        )
        return Ended(code, out, err, seconds)


class Server:
    """Starts commands of `launch` as forks of one process: see `forks`."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="rnnlab-faults-")
        self._count = 0
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forks.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        return self

    def __exit__(self, *raised):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def ask(self, request):
        """Sends a request and returns the answer."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, name, *arguments, env=None, **flags):
        """Starts `python -m launch.NAME ARGUMENTS --FLAG=VALUE ...`.

        A flag whose value is a bool is given as --FLAG or --noFLAG.
        """
        given = [
            f"--{'' if value else 'no'}{flag}"
            if isinstance(value, bool)
            else f"--{flag}={value}"
            for flag, value in flags.items()
        ]
        return self.fork(f"launch.{name}", *arguments, *given, env=env or {})

    def fork(self, module, *arguments, **more):
        """Starts `python -m MODULE ARGUMENTS`; `more` is the rest of the request."""
        self._count += 1
        folder = Path(self._folder.name) / str(self._count)
        folder.mkdir()
        argv = [str(argument) for argument in arguments]
        places = {name: str(folder / name) for name in ("out", "err")}
        pid = self.ask({"module": module, "argv": argv, **places, **more})
        return Started(self, pid, folder)

    def run(self, name, *arguments, limit=LIMIT, env=None, **flags):
        """Starts a command and returns how it ended."""
        return self.start(name, *arguments, env=env, **flags).wait(limit)


def events(workdir, name=None):
    """Returns the events of a run, in order; those of one name if there is one."""
    file = Path(workdir) / "events.jsonl"
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    found = [json.loads(line) for line in lines]
    return [event for event in found if name in (None, event["event"])]


def final(workdir):
    """Returns step and hash of the last end that a run came to."""
    last = events(workdir, "finished")[-1]
    return last["step"], last["hash"]
