"""A point as a process: its command, its folder, and how it ended."""

import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from launch import runs
from launch.records import CONFIG
from launch.results import read
from rnnlab.errors import Diverged, InputError, Preempted, WorkdirLocked, shown

LOG = "log.txt"
TAIL = 4096  # bytes at the end of a file that are looked at
TRIES = 3  # of a process that was killed


class Job(NamedTuple):
    """What is to be run.

    Attributes:
        key: of the point.
        name: of the point, for those who watch.
        arguments: of `launch.run`.
        folder: the workdir, which is made.
    """

    key: str
    name: str
    arguments: tuple[str, ...]
    folder: Path

    @property
    def command(self) -> list[str]:
        """What a shell would be given; it goes on where the run was stopped."""
        module = [sys.executable, "-m", "launch.run"]
        return [*module, *self.arguments, f"--workdir={self.folder}", "--resume"]


class Ended(NamedTuple):
    """How a job ended.

    Attributes:
        state: finished, diverged, failed, or stopped: then it is to be run again.
        message: why, where it did not finish.
    """

    state: str
    message: str = ""


def known(job: Job) -> Ended | None:
    """Returns how a job has ended before, None where it is still to be run."""
    if not (job.folder / CONFIG).exists():
        return None
    try:
        run = runs.read(job.folder)
    except InputError:
        return None  # launch.run says what is wrong with it
    over = run.state in ("finished", "diverged")
    return Ended(run.state, run.message) if over else None


def ended(job: Job, code: int) -> Ended:
    """Returns how a job ended whose process gave `code`, negative for a signal."""
    if code == 0 and runs.done(read(job.folder)):
        return Ended("finished")
    if code == WorkdirLocked.exit_code:
        return Ended("stopped", "another process has its folder")
    if code == Preempted.exit_code:
        return Ended("stopped", "it was told to stop")
    if code < 0:
        return Ended("stopped", f"it was killed by {signal.Signals(-code).name}")
    state = "diverged" if code == Diverged.exit_code else "failed"
    return Ended(state, last_line(job.folder) or f"it ended with exit code {code}")


def last_line(folder: Path) -> str:
    """Returns the last line of a job's log, without what a terminal would obey."""
    said = [line for line in tail(folder / LOG) if line.strip()]
    return shown(said[-1]).removeprefix("error: ")[:600] if said else ""


def tail(path: Path) -> list[str]:
    """Returns the last lines of a text, the first of them perhaps cut, or none."""
    try:
        with open(path, "rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - TAIL))
            return stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
