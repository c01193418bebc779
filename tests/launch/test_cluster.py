"""Jobs through submitit: its own executor on this machine stands for Slurm."""

import os
import signal
import time

import psutil
import pytest
from quick import quick

from launch.sweeping import cluster
from launch.sweeping.cluster import Resources, Work
from launch.sweeping.jobs import Ended
from rnnlab.errors import InputError, Preempted
from rnnlab.training import events, workdir

pytest.importorskip("submitit")
# submitit does not wait for the process of a job that it hands out no more.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
ASKED = Resources(0.5, cpus=3, memory_gb=1.5, gpus=0, partition="long", parallel=7)


@pytest.fixture
def executor(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "LOOK", 0.05)
    return cluster.executor("submitit", tmp_path, ASKED)


def run(jobs, executor, tmp_path, watch=lambda running, waiting: None, most=8):
    ends = {}
    log = events.Events(tmp_path)

    def told(job, end):
        ends[job.key] = end

    cluster.run(jobs, executor, most, log, tmp_path, told, watch)
    return ends


def test_all_run_and_one_that_fails_says_why(tmp_path, executor):
    bad = quick(tmp_path, "bad", "print('error: no file'); sys.exit(2)", finish=None)
    ends = run([quick(tmp_path, "good"), bad], executor, tmp_path)
    assert ends == {"good": Ended("finished"), "bad": Ended("failed", "no file")}
    told = {e["run"]: e["job"] for e in events.read(tmp_path)}
    assert told.keys() == {"good", "bad"} and all(map(str.isdecimal, told.values()))
    assert (
        run([quick(tmp_path, "good")], executor, tmp_path)["good"].state == "finished"
    )
    assert len(events.read(tmp_path)) == 2  # none was submitted again


def test_no_more_run_here_than_are_asked_for(tmp_path, executor):
    jobs = [quick(tmp_path, name, "time.sleep(0.3)") for name in "abc"]
    most = []

    def watch(running, waiting):
        most.append(len(running))

    assert len(run(jobs, executor, tmp_path, watch, most=1)) == 3
    assert max(most) <= 1


SAVES = """
def save(number, frame):
    open(folder + "/saved", "a").write("x")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
if not os.path.exists(folder + "/saved"):
    open(folder + "/metrics.jsonl", "w").write("{}")
    time.sleep(60)
"""


def test_one_that_is_preempted_saves_and_goes_on(tmp_path, executor):
    """Slurm's signal, which all processes of a job get, ends in a checkpoint."""
    job = quick(tmp_path, "a", SAVES)
    sent = []

    def watch(running, waiting):
        if not sent and (job.folder / "metrics.jsonl").exists():
            (told,) = events.read(tmp_path)
            (task,) = psutil.Process(int(told["job"])).children()
            sent.extend(task.children(recursive=True) + [task])
            for process in sent:
                process.send_signal(signal.SIGUSR2)

    ends = run([job], executor, tmp_path, watch)
    assert ends == {"a": Ended("finished")} and len(sent) == 2
    assert (job.folder / "saved").read_text() == "x"


def test_a_signal_leaves_jobs_to_the_cluster(tmp_path, executor):
    script = 'open(folder + "/metrics.jsonl", "w").write("{}"); time.sleep(1)'
    job = quick(tmp_path, "a", script)

    def watch(running, waiting):
        if (job.folder / "metrics.jsonl").exists():
            os.kill(os.getpid(), 15)

    with pytest.raises(Preempted, match="SIGTERM; jobs that are queued or run go on"):
        run([job], executor, tmp_path, watch)
    began = time.monotonic()
    while not (job.folder / "result.json").exists():
        assert time.monotonic() - began < 120
        time.sleep(0.05)
    assert run([job], executor, tmp_path) == {"a": Ended("finished")}
    assert len(events.read(tmp_path)) == 1


class Queue:
    """An executor whose jobs are never done until they are told to be."""

    def __init__(self, folder, done):
        self.folder, self.submitted, self.done = folder, [], done

    def job_class(self, folder, job_id):
        assert folder == self.folder
        return Handle(self, job_id)

    def submit_array(self, works):
        self.submitted += works
        return [Handle(self, f"7_{k}") for k, _ in enumerate(works)]


class Handle:
    state = "COMPLETED"

    def __init__(self, queue, job_id):
        self.queue, self.job_id = queue, job_id

    def done(self):
        return self.queue.done()

    def exception(self):
        return None

    def result(self):
        return 0


def test_what_is_queued_is_not_submitted_again(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "LOOK", 0.01)
    jobs = [quick(tmp_path, name) for name in "ab"]
    done = []
    queue = Queue(tmp_path / "jobs", lambda: bool(done))

    def stop(running, waiting):
        raise Preempted("the sweep is killed")

    with pytest.raises(Preempted):
        run(jobs, queue, tmp_path, stop)
    assert len(queue.submitted) == 2

    def finish(running, waiting):
        assert (running, waiting) == ([], 2) or done
        for job in jobs:
            (job.folder / "result.json").write_text('{"steps": 1}')
        done.append(True)

    assert run(jobs, queue, tmp_path, finish) == dict.fromkeys("ab", Ended("finished"))
    assert len(queue.submitted) == 2


def test_a_run_whose_job_is_gone_is_waited_for(tmp_path, executor):
    job = quick(tmp_path, "a", 'open(folder + "/ran", "w")')
    seen = []

    def watch(running, waiting):
        seen.append(waiting)
        if len(seen) == 3:
            raise Preempted("enough")

    with workdir.lock(job.folder), pytest.raises(Preempted):
        run([job], executor, tmp_path, watch)
    assert seen == [1, 1, 1] and not (job.folder / "ran").exists()


def test_what_slurm_is_asked_for(tmp_path):
    assert ASKED.slurm() == {
        "time": 30,
        "cpus_per_task": 3,
        "array_parallelism": 7,
        "signal_delay_s": 120,
        "mem": "1536M",
        "partition": "long",
    }
    assert ASKED._replace(gpus=2).slurm()["gpus_per_node"] == 2
    bare = ASKED._replace(memory_gb=None, partition=None).slurm()
    assert not bare.keys() & {"mem", "partition"}


def test_submitit_makes_an_array_of_them(tmp_path, monkeypatch):
    """What sbatch would be given, with a `srun` that is never called."""
    import submitit

    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    made = cluster.executor("slurm", tmp_path, ASKED._replace(gpus=1))
    assert isinstance(made, submitit.SlurmExecutor)
    text = made._make_submission_file_text("command", "id")
    for line in ("time=30", "cpus-per-task=3", "mem=1536M", "partition=long"):
        assert f"#SBATCH --{line}\n" in text
    assert "#SBATCH --signal=USR2@120\n" in text and "gpus-per-node=1" in text


def test_without_slurm_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="needs Slurm's commands, .* --executor=local"):
        cluster.executor("slurm", tmp_path / "new", ASKED)
    assert not (tmp_path / "new").exists()


def test_a_work_is_plain_data_while_it_runs(tmp_path):
    import pickle

    work = Work(["sleep", "60"], tmp_path / "runs" / "log.txt")
    work._process = object()
    copy = pickle.loads(pickle.dumps(work))
    assert copy._process is None and copy._command == ["sleep", "60"]
