"""Jobs as an array of Slurm's, through submitit, or as it would be, on this machine.

A job that Slurm preempts, or whose time is over, saves, is queued again and goes on.
The ids of jobs are kept: a sweep that is started anew waits for what is queued already.
"""

import collections
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from launch.sweeping.jobs import LOG, Ended, Job, ended, known, settled
from launch.sweeping.local import Told, Watch
from rnnlab.errors import InputError, Preempted
from rnnlab.files import unlinked
from rnnlab.training.events import Events, read
from rnnlab.training.signals import StopSignals

CLUSTERS = "slurm", "submitit"  # the second is submitit's own, on this machine
REQUEUED = 100  # times at most: each goes on where the one before was
GONE = "PREEMPTED", "TIMEOUT", "NODE_FAIL", "INTERRUPTED", "REQUEUED"
LOOK = 1.0  # seconds between two looks; Slurm itself is asked once a minute


class Resources(NamedTuple):
    """What each job asks of a cluster.

    Attributes:
        hours: after which it is queued again.
        cpus: cores.
        memory_gb: in GB, None for what the cluster gives.
        gpus: in number.
        partition: of the cluster, None for its default.
        parallel: jobs at once, at most.
    """

    hours: float
    cpus: int
    memory_gb: float | None
    gpus: int
    partition: str | None
    parallel: int

    def slurm(self) -> dict[str, Any]:
        """Returns them as options of sbatch."""
        found = {
            "time": max(1, round(60 * self.hours)),
            "cpus_per_task": self.cpus,
            "array_parallelism": self.parallel,
            "signal_delay_s": 120,
        }
        if self.gpus:
            found["gpus_per_node"] = self.gpus
        if self.memory_gb is not None:
            found["mem"] = f"{round(1024 * self.memory_gb)}M"
        if self.partition is not None:
            found["partition"] = self.partition
        return found


class Work:
    """What a job does: the run as a process of its own; submitit pickles it."""

    def __init__(self, command: Sequence[str], log: Path):
        self._command, self._log = list(command), log
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Returns the exit code of the run."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with open(self._log, "ab", opener=unlinked) as log:
            # Slurm sends it to all processes of a job; here it means `checkpoint`.
            handler = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
            try:
                self._process = subprocess.Popen(
                    self._command, stdout=log, stderr=subprocess.STDOUT
                )
            finally:
                signal.signal(signal.SIGUSR2, handler)
            return self._wait(self._process)

    def checkpoint(self) -> Any:
        """Lets the run save and end; returns the job that goes on with it."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            self._process.terminate()
            self._wait(self._process)
        return DelayedSubmission(Work(self._command, self._log))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_process": None}

    @staticmethod
    def _wait(process: subprocess.Popen[bytes]) -> int:
        # Not `wait`, whose lock a signal's handler would ask for again.
        while process.poll() is None:
            time.sleep(0.05)
        return process.returncode


def executor(name: str, folder: Path, resources: Resources) -> Any:
    """Returns submitit's executor for one of `CLUSTERS`.

    Raises:
        InputError: submitit is not installed, or there is no Slurm here.
    """
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise InputError(
            f"--executor={name} needs submitit, which is not installed;"
            f" pip install 'rnnlab[slurm]'."
        ) from error
    place = folder / "jobs"
    if name == "submitit":
        found = submitit.LocalExecutor(place, max_num_timeout=REQUEUED)
        found.update_parameters(timeout_min=60 * resources.hours)
        return found
    try:
        found = submitit.SlurmExecutor(place, max_num_timeout=REQUEUED)
    except RuntimeError as error:
        raise InputError(
            f"--executor=slurm needs Slurm's commands, which are not here ({error});"
            f" start the sweep where jobs are submitted, or use --executor=local."
        ) from error
    found.update_parameters(**resources.slurm())
    return found


def run(
    jobs: Sequence[Job], executor: Any, most: int, log: Events, folder: Path,
    told: Told, watch: Watch,
) -> None:  # fmt: skip
    """Submits all jobs that are not queued yet, and waits for their ends.

    Args:
        jobs: in the order in which they are begun.
        executor: submitit's.
        most: jobs that are queued or run at a time.
        log: of the sweep, which keeps the ids of jobs.
        folder: the sweep's.
        told: called with each that has finished, diverged or failed.
        watch: called again and again with those under way, and how many wait.

    Raises:
        Preempted: a signal came; what is queued or runs goes on without the sweep.
    """
    queue = _Queue(jobs, executor, most, log, folder, told)
    with StopSignals() as stop:
        while queue.queued or queue.waiting:
            queue.submit()
            queue.reap()
            if stop.received:
                raise Preempted(
                    f"Stopped by {stop.received}; jobs that are queued or run go on,"
                    f" and the same command waits for them again."
                )
            running = [job for job, _ in queue.queued if job.locked]
            watch(running, len(queue.waiting) + len(queue.queued) - len(running))
            time.sleep(LOOK)


class _Queue:
    """Jobs that are Slurm's, with submitit's handle of each, and jobs that wait."""

    def __init__(
        self, jobs: Sequence[Job], executor: Any, most: int, log: Events, folder: Path,
        told: Told,
    ):  # fmt: skip
        self._executor, self._log, self._told = executor, log, told
        self._most = most
        self._tries: collections.Counter[str] = collections.Counter()
        self.queued = list(_adopted(jobs, executor, folder))
        adopted = {job.key for job, _ in self.queued}
        self.waiting = [job for job in jobs if job.key not in adopted]

    def submit(self) -> None:
        """Submits what waits, as one array; not what another process runs."""
        waiting, self.waiting = self.waiting, []
        fresh = []
        for job in waiting:
            if len(self.queued) + len(fresh) >= self._most:
                self.waiting.append(job)
            elif job.locked:  # in a job that is known no more: it goes on
                self.waiting.append(job)
            elif len(ends := known(job)) == len(job.points):  # and came to its end
                for point, end in ends.items():
                    self._told(point, end)
            else:
                fresh.append(job)
        if fresh:
            works = [Work(job.command, job.folder / LOG) for job in fresh]
            handles = self._executor.submit_array(works)
            for job, handle in zip(fresh, handles, strict=True):
                self._log.write("submitted", run=job.key, job=handle.job_id)
                self.queued.append((job, handle))

    def reap(self) -> None:
        """Takes note of jobs that have ended."""
        for job, handle in [each for each in self.queued if each[1].done()]:
            self.queued.remove((job, handle))
            self._tries[job.key] += 1
            ends = settled(_ends(job, handle), self._tries[job.key])
            if not ends:
                self.waiting.append(job)
            for point, end in ends.items():
                self._told(point, end)


def _adopted(
    jobs: Sequence[Job], executor: Any, folder: Path
) -> Iterator[tuple[Job, Any]]:
    """Yields the jobs that an earlier start has submitted and that are not done."""
    ids = {
        event["run"]: str(event.get("job"))
        for event in read(folder)
        if event.get("event") == "submitted" and isinstance(event.get("run"), str)
    }
    for job in jobs:
        if job.key in ids:
            handle = executor.job_class(executor.folder, ids[job.key])
            if not handle.done():
                yield job, handle


def _ends(job: Job, handle: Any) -> dict[Job, Ended]:
    """Returns how the points of a job ended."""
    if job.locked:
        end = Ended("stopped", "its job is gone, and its run goes on")
    elif (error := handle.exception()) is None:
        return ended(job, handle.result())
    elif handle.state in GONE:
        end = Ended("stopped", f"its job ended as {handle.state}")
    else:
        end = Ended("failed", str(error).strip().splitlines()[-1][:600])
    return dict.fromkeys(job.points, end)
