"""Jobs on this machine: as many side by side as it has cores and memory for.

Each process has its own cores, so that none waits for another's threads, and where
there are several GPUs one of them. One begins if as much memory is free as the largest
has taken so far, beside what those under way may still take; the first is alone until
it trains.
"""

import collections
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import psutil

from launch.sweeping import gpus
from launch.sweeping.jobs import LOG, Ended, Job, ended, known, settled
from rnnlab.errors import Preempted
from rnnlab.files import storage_error, unlinked
from rnnlab.training.signals import StopSignals
from rnnlab.training.writers import METRICS

TURN = 0.2  # seconds between two looks

Told = Callable[[Job, Ended], None]
Watch = Callable[[Sequence[Job], int], None]


def most() -> int:
    """Returns how many run side by side: one a core, or one a GPU of several."""
    several = gpus.found()
    return len(several) if len(several) > 1 else len(os.sched_getaffinity(0))


def run(jobs: Sequence[Job], workers: int, told: Told, watch: Watch) -> None:
    """Runs all jobs, each to its end.

    Args:
        jobs: in the order in which they are begun.
        workers: processes side by side, at most.
        told: called with each that has finished, diverged or failed.
        watch: called again and again with those under way, and how many wait.

    Raises:
        Preempted: a signal came; those under way have saved and ended.
        StorageError: a folder cannot be made.
    """
    with StopSignals() as stop, Pool(workers, told) as pool:
        pool.waiting.extend(jobs)
        while pool.busy:
            pool.turn(stop)
            watch(pool.jobs, len(pool.waiting))
            time.sleep(TURN)


class Pool:
    """Processes under way, and jobs that wait; a context manager.

    A process that is killed is started again, and goes on from its newest checkpoint;
    one whose folder another process has is waited for.

    Attributes:
        waiting: jobs to begin, in this order.
    """

    def __init__(self, workers: int, told: Told):
        """Prepares.

        Args:
            workers: processes side by side, at most.
            told: called with each job that has come to its end.
        """
        self.waiting: collections.deque[Job] = collections.deque()
        self._running: dict[int, tuple[subprocess.Popen[bytes], Job]] = {}  # by slot
        self._dropped: dict[str, Ended] = {}
        self._told = told
        self._tries: collections.Counter[str] = collections.Counter()
        self._before: dict[str, int] = {}  # what a job had written when it was begun
        self._shares = _shares(sorted(os.sched_getaffinity(0)), workers)
        self._gpus = gpus.found()
        self._known = False  # whether one has come as far as to train
        self._peak = 0  # bytes, of the largest process so far

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop()  # an error: none is left behind

    @property
    def busy(self) -> bool:
        """Whether there is something to wait for."""
        return bool(self._running or self.waiting)

    @property
    def idle(self) -> int:
        """How many more could run, were there the memory."""
        return len(self._shares) - len(self._running) - len(self.waiting)

    @property
    def jobs(self) -> list[Job]:
        """Those under way."""
        return [job for _, job in self._running.values()]

    def turn(self, stop: StopSignals) -> None:
        """Notes what has ended, and begins what there is room for.

        Raises:
            Preempted: a signal came; all have saved and ended.
            StorageError: a folder cannot be made.
        """
        self._reap()
        if stop.received:
            self._stop()
            raise Preempted(
                f"Stopped by {stop.received}; the runs under way are saved, and the"
                f" same command goes on with them."
            )
        self._fill()

    def drop(self, job: Job, end: Ended) -> None:
        """Lets a job save and end; its end is `end`, unless it is over by itself."""
        if job.key in self._dropped:
            return  # a second signal would end it before it has saved
        self._dropped[job.key] = end
        for process, each in self._running.values():
            if each.key == job.key:
                process.terminate()

    def _reap(self) -> None:
        """Takes note of processes that have ended."""
        for slot, (process, job) in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[slot]
            self._known = True
            self._tries[job.key] += 1
            dropped = self._dropped.pop(job.key, None)
            ends = settled(ended(job, code), self._tries[job.key])
            if dropped and ends.get(job) != Ended("finished"):
                ends = {job: dropped}
            if not ends:
                self.waiting.append(job)
            for point, end in ends.items():
                self._told(point, end)

    def _fill(self) -> None:
        """Begins what waits, where there is room."""
        free = [slot for slot in range(len(self._shares)) if slot not in self._running]
        for _ in range(len(self.waiting)):
            if not free or not self._room():
                return
            job = self.waiting.popleft()
            if job.locked:  # of a sweep that was killed: it goes on
                self.waiting.append(job)
                continue
            if len(ends := known(job)) == len(job.points):  # and came to its end
                for point, end in ends.items():
                    self._told(point, end)
                continue
            slot = free.pop(0)
            self._before[job.key] = _written(job)
            env = gpus.environment(self._gpus, slot)
            self._running[slot] = _begin(job, self._shares[slot], env), job

    def _stop(self) -> None:
        """Lets all save and end."""
        for process, job in self._running.values():
            if job.key not in self._dropped:
                process.terminate()
        for process, _ in self._running.values():
            process.wait()
        self._running.clear()

    def _room(self) -> bool:
        """Returns whether another process fits into the memory that is free."""
        if not self._running:
            return True
        # What has written more figures has the memory that it needs.
        self._known = self._known or any(
            _written(job) > self._before[job.key] for job in self.jobs
        )
        sizes = [_size(process.pid) for process, _ in self._running.values()]
        self._peak = max(self._peak, *sizes)
        growing = sum(self._peak - size for size in sizes)
        free = psutil.virtual_memory().available - growing
        return self._known and free > self._peak


def _begin(
    job: Job, cores: set[int], env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Starts a job on some cores, in a session of its own: Ctrl-C is not for it."""
    own = os.sched_getaffinity(0)
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        with open(job.folder / LOG, "ab", opener=unlinked) as log:
            os.sched_setaffinity(0, cores)  # a process has the cores of its parent
            return subprocess.Popen(
                job.command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise storage_error(job.folder / LOG, error) from error
    finally:
        os.sched_setaffinity(0, own)


def _shares(cores: list[int], workers: int) -> list[set[int]]:
    """Returns the cores of each worker: equal shares, or one core for several."""
    if workers >= len(cores):
        return [{cores[place % len(cores)]} for place in range(workers)]
    ends = [len(cores) * place // workers for place in range(workers + 1)]
    return [{*cores[a:b]} for a, b in zip(ends, ends[1:], strict=False)]


def _written(job: Job) -> int:
    """Returns the size of a job's figures in bytes, 0 where it has none."""
    file = job.folder / METRICS
    return file.stat().st_size if file.exists() else 0


def _size(pid: int) -> int:
    """Returns the memory of a process in bytes, 0 where it has ended."""
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0
