"""A point as a process: its command, its folder, and how it ended."""

import contextlib
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
TRIES = 3  # of a process that is killed or stopped by others


class Job(NamedTuple):
    """What is to be run.

    Attributes:
        key: of the point.
        name: of the point, for those who watch.
        arguments: of `launch.run`.
        folder: the workdir, which is made.
        members: points that are one program, and this the first of them; else ().
    """

    key: str
    name: str
    arguments: tuple[str, ...]
    folder: Path
    members: "tuple[Job, ...]" = ()

    @property
    def command(self) -> list[str]:
        """What a shell would be given; it goes on where the run was stopped."""
        module = [sys.executable, "-m", "launch.run"]
        return [*module, *self.arguments, f"--workdir={self.folder}", "--resume"]

    @property
    def points(self) -> "tuple[Job, ...]":
        """The points that it runs."""
        return self.members or (self,)

    @property
    def locked(self) -> bool:
        """Whether another process runs one of them."""
        return any(runs.locked(point.folder) for point in self.points)


class Together(Job):
    """Points that differ in seed and learning rate, as one program."""

    @property
    def command(self) -> list[str]:
        """What a shell would be given."""
        module = [sys.executable, "-m", "launch.together"]
        return [*module, *self.arguments, f"--runs={self.folder.parent}"]


class Ended(NamedTuple):
    """How a job ended.

    Attributes:
        state: finished, diverged, failed, or stopped: then it is to be run again.
        message: why, where it did not finish.
    """

    state: str
    message: str = ""


def known(job: Job) -> dict[Job, Ended]:
    """Returns how points of a job have ended before."""
    found = {}
    for point in job.points:
        if (point.folder / CONFIG).exists():
            # What cannot be read, launch.run says what is wrong with it.
            with contextlib.suppress(InputError):
                run = runs.read(point.folder)
                if run.state in ("finished", "diverged"):
                    found[point] = Ended(run.state, run.message)
    return found


def ended(job: Job, code: int) -> dict[Job, Ended]:
    """Returns how the points of a job ended whose process gave `code`.

    It is negative for a signal.
    """
    if len(job.points) == 1:
        return {job: _ended(job, code)}
    before = known(job)
    return {point: before.get(point) or _ended(job, code) for point in job.points}


def settled(ends: dict[Job, Ended], tries: int) -> dict[Job, Ended]:
    """Returns the ends to be told, none where the job is to be begun again.

    Args:
        ends: of the points of one job.
        tries: of it, so far.
    """
    stopped = [point for point, end in ends.items() if end.state == "stopped"]
    if stopped and tries < TRIES:
        return {}
    why = f"{TRIES} times; is there memory for it?"
    lost = {p: Ended("failed", f"{ends[p].message}, {why}") for p in stopped}
    return ends | lost


def _ended(job: Job, code: int) -> Ended:
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
