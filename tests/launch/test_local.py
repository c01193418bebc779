"""Jobs on this machine: all run, as many at once as there may be, whatever happens."""

import contextlib
import json
import os
import signal
import sys
import time

import psutil
import pytest
from quick import FINISH, quick

from launch.sweeping import gpus, local
from launch.sweeping.jobs import Ended
from launch.sweeping.local import Pool
from rnnlab.errors import Preempted
from rnnlab.training import workdir
from rnnlab.training.signals import StopSignals

NOTE = """
with open(folder + "/../../order", "a") as file:
    file.write(os.path.basename(folder) + " ")
"""


def children():
    """Returns the processes below this one; the tests before may have left some."""
    return {*psutil.Process().children()}


def run(jobs, workers=2, watch=lambda running, waiting: None):
    ends = {}

    def told(job, end):
        assert job.key not in ends, "told twice"
        ends[job.key] = end

    local.run(jobs, workers, told, watch)
    return ends


def test_all_run_in_order_and_not_too_many_at_once(tmp_path):
    jobs = [quick(tmp_path, name, NOTE + "time.sleep(0.3)") for name in "abcdef"]
    most, waits = [], []

    def watch(running, waiting):
        most.append(len(running))
        waits.append(waiting)

    assert run(jobs, 2, watch) == dict.fromkeys("abcdef", Ended("finished"))
    assert max(most) <= 2 and waits == sorted(waits, reverse=True)
    order = (tmp_path / "order").read_text().split()
    assert sorted(order) == list("abcdef")
    assert all(abs(order.index(name) - k) <= 1 for k, name in enumerate("abcdef"))


@pytest.mark.parametrize(
    ("script", "state", "message"),
    [
        ("print('error: no such file'); sys.exit(2)", "failed", "no such file"),
        ("raise SystemExit('a\\x1b[31m word')", "failed", r"a\x1b[31m word"),
        ("import nothing_of_the_kind", "failed", "No module named 'nothing_of_the_k"),
        ("print('error: Step 2 gave NaN'); sys.exit(6)", "diverged", "Step 2 gave NaN"),
        ("sys.exit(9)", "failed", "it ended with exit code 9"),
        ("", "failed", "it ended with exit code 0"),
    ],
)
def test_one_that_fails_says_why_and_the_others_go_on(tmp_path, script, state, message):
    jobs = [quick(tmp_path, "bad", script, finish=None), quick(tmp_path, "good")]
    ends = run(jobs)
    assert ends["bad"].state == state and message in ends["bad"].message
    assert ends["good"].state == "finished"


DIES = """
path = folder + "/tries"
tries = os.path.getsize(path) if os.path.exists(path) else 0
open(path, "a").write("x")
if tries < %d:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("deaths", "state"), [(1, "finished"), (2, "finished"), (3, "failed")]
)
def test_one_that_is_killed_is_begun_again(tmp_path, deaths, state):
    job = quick(tmp_path, "a", DIES % deaths)
    ends = run([job])
    assert ends["a"].state == state
    assert (job.folder / "tries").read_text() == "x" * min(deaths + 1, 3)
    if state == "failed":
        assert ends["a"].message.startswith("it was killed by SIGKILL, 3 times")


def test_what_has_ended_is_not_run_again(tmp_path):
    jobs = [quick(tmp_path, name, NOTE) for name in "ab"]
    assert run(jobs[:1]) == {"a": Ended("finished")}
    assert run(jobs) == dict.fromkeys("ab", Ended("finished"))
    assert (tmp_path / "order").read_text() == "a b "


def test_one_that_another_process_runs_is_waited_for(tmp_path):
    jobs = [quick(tmp_path, name, NOTE) for name in "ab"]
    with contextlib.ExitStack() as held:
        held.enter_context(workdir.lock(jobs[0].folder))

        def watch(running, waiting):
            order = tmp_path / "order"
            if not running and waiting == 1 and order.exists():
                assert order.read_text() == "b "
                held.close()

        ends = run(jobs, 2, watch)
    assert ends == dict.fromkeys("ab", Ended("finished"))
    assert (tmp_path / "order").read_text() == "b a "


def test_a_signal_lets_all_save_and_end(tmp_path):
    """The processes get one signal, and the pool waits until they have ended."""
    script = """
    def save(number, frame):
        time.sleep(0.2)
        open(folder + "/saved", "a").write("x")
        sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    open(folder + "/metrics.jsonl", "w").write("{}")
    time.sleep(60)
    """
    jobs, before = [quick(tmp_path, name, script) for name in "abc"], children()

    def watch(running, waiting):
        if all((job.folder / "metrics.jsonl").exists() for job in jobs[:2]):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Preempted, match="Stopped by SIGINT; .* the same command"):
        run(jobs, 2, watch)
    assert [(job.folder / "saved").exists() for job in jobs] == [True, True, False]
    assert (jobs[0].folder / "saved").read_text() == "x"
    assert children() <= before


def test_one_that_is_dropped_ends_as_it_is_told(tmp_path):
    job = quick(tmp_path, "a", "time.sleep(60)")
    ends = {}
    with (
        StopSignals() as stop,
        Pool(1, lambda job, end: ends.update({job: end})) as pool,
    ):
        assert pool.idle == 1
        pool.waiting.append(job)
        while pool.busy:
            pool.turn(stop)
            if pool.jobs:
                assert pool.idle == 0
                pool.drop(job, Ended("pruned", "no good"))
            time.sleep(0.02)
    assert ends == {job: Ended("pruned", "no good")}


SAVES = """
def save(number, frame):  # a second signal kills, as in a run
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(0.3)
    open(folder + "/saved", "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
open(folder + "/ready", "w").close()
time.sleep(60)
"""


def drop_when(pool, job, ready):
    """Turns a pool to its end, and drops a job again and again once it is ready."""
    with StopSignals() as stop:
        while pool.busy:
            pool.turn(stop)
            if pool.jobs and ready():
                pool.drop(job, Ended("pruned", "no good"))
            time.sleep(0.02)


def test_one_that_is_dropped_saves_and_may_be_asked_for_again(tmp_path):
    job, ends = quick(tmp_path, "a", SAVES), []
    with Pool(1, lambda job, end: ends.append(end.state)) as pool:
        pool.waiting.append(job)
        drop_when(pool, job, (job.folder / "ready").exists)
        assert ends == ["pruned"] and (job.folder / "saved").exists()
        pool.waiting.append(quick(tmp_path, "a"))  # it finishes
        drop_when(pool, job, lambda: False)
    assert ends == ["pruned", "finished"]


def test_one_that_finishes_as_it_is_dropped_has_finished(tmp_path):
    done = FINISH % 1.0 + "open(folder + '/ready', 'w').close(); time.sleep(0.2)"
    ignores = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    job, ends = quick(tmp_path, "a", ignores + done, finish=None), []
    with Pool(1, lambda job, end: ends.append(end.state)) as pool:
        pool.waiting.append(job)
        drop_when(pool, job, (job.folder / "ready").exists)
    assert ends == ["finished"]


def test_none_is_left_behind_by_an_error(tmp_path):
    before = children()

    def watch(running, waiting):
        if running:
            raise RuntimeError("of the watcher")

    with pytest.raises(RuntimeError, match="of the watcher"):
        run([quick(tmp_path, "a", "time.sleep(60)")], 1, watch)
    assert children() <= before


@pytest.mark.parametrize(("free", "at_once"), [(2**40, 2), (0, 1)])
def test_no_more_begin_than_there_is_memory_for(tmp_path, monkeypatch, free, at_once):
    class Memory:
        available = free

    monkeypatch.setattr(local.psutil, "virtual_memory", lambda: Memory)
    script = 'open(folder + "/metrics.jsonl", "w").write("{}"); time.sleep(0.7)'
    jobs = [quick(tmp_path, name, script) for name in "abc"]
    most = []
    run(jobs, 2, lambda running, waiting: most.append(len(running)))
    assert max(most) == at_once


@pytest.mark.parametrize("before", ["", "{}"])  # of a run that goes on
def test_the_second_waits_until_the_first_trains(tmp_path, before):
    first = """
    time.sleep(0.6)
    open(folder + "/metrics.jsonl", "a").write("{}")
    time.sleep(0.6)
    """
    a, b = quick(tmp_path, "a", first), quick(tmp_path, "b", "time.sleep(0.3)")
    figures = a.folder / "metrics.jsonl"
    figures.write_text(before)
    seen = []

    def watch(running, waiting):
        trains = figures.read_text() != before
        seen.append((trains, [job.key for job in running]))

    run([a, b], 2, watch)
    assert all(keys == ["a"] for trains, keys in seen if not trains)
    assert any(keys == ["a", "b"] for trains, keys in seen if trains)


SMI = """#!/bin/sh
[ "$*" = -L ] && cat <<'END'
%s
END
"""
ONE = "GPU 0: NVIDIA L4 (UUID: GPU-a1)"
TWO = ONE + "\nGPU 1: NVIDIA L4 (UUID: GPU-b2)"
MIG = "\n  MIG 1g.10gb  Device  0: (UUID: MIG-c)"
CUT = TWO + MIG + MIG.replace("MIG-c", "MIG-d")
WORDS = "NVIDIA-SMI has failed because it couldn't communicate with the driver."


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that sets what nvidia-smi prints, and variables."""

    def of(listed, **variables):
        (tmp_path / "bin" / "jax_plugins").mkdir(parents=True)
        (tmp_path / "bin" / "nvidia-smi").write_text(SMI % listed)
        (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        monkeypatch.syspath_prepend(tmp_path / "bin")
        for name in ("JAX_PLATFORMS", gpus.VISIBLE):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return of


@pytest.mark.parametrize(
    ("listed", "variables", "names"),
    [
        (TWO, {}, ["GPU-a1", "GPU-b2"]),
        (ONE, {}, ["GPU-a1"]),
        (CUT, {}, ["GPU-a1", "MIG-c", "MIG-d"]),
        (WORDS, {}, []),
        (TWO, {"JAX_PLATFORMS": "cpu"}, []),
        (TWO, {"JAX_PLATFORMS": "cuda,cpu"}, ["GPU-a1", "GPU-b2"]),
        (TWO, {gpus.VISIBLE: "3,1"}, ["3", "1"]),
        (TWO, {gpus.VISIBLE: "3,-1,1"}, ["3"]),
        (TWO, {gpus.VISIBLE: ""}, []),
    ],
)
def test_the_gpus_of_a_machine(machine, listed, variables, names):
    machine(listed, **variables)
    assert gpus.found() == names
    cores = len(os.sched_getaffinity(0))
    assert local.most() == (len(names) if len(names) > 1 else cores)


def test_there_are_no_gpus_without_a_plugin_or_a_driver(machine, monkeypatch, tmp_path):
    machine(TWO)
    monkeypatch.setattr(sys, "path", sys.path[1:])
    assert gpus.found() == []
    monkeypatch.syspath_prepend(tmp_path / "bin")
    assert len(gpus.found()) == 2
    monkeypatch.setenv("PATH", "/nowhere")
    assert gpus.found() == []


@pytest.mark.parametrize(
    ("listed", "seen"), [(TWO, ["GPU-a1", "GPU-b2"]), (ONE, [None, None])]
)
def test_each_worker_has_its_own_of_several_gpus(machine, tmp_path, listed, seen):
    machine(listed)
    script = f"""
    open(folder + "/metrics.jsonl", "w").write("{{}}")
    print(json.dumps(os.environ.get("{gpus.VISIBLE}")), flush=True)
    time.sleep(0.5)
    """
    jobs = [quick(tmp_path, name, script) for name in "ab"]
    most = []
    run(jobs, 2, lambda running, waiting: most.append(len(running)))
    told = [json.loads((job.folder / "log.txt").read_text()) for job in jobs]
    assert max(most) == 2 and told == seen


MANY = """
for name in %r:
    here = os.path.join(os.path.dirname(folder), name)
    with open(here + "/result.json", "w") as file:
        json.dump({"steps": 1}, file)
"""


@pytest.mark.parametrize(
    ("script", "states"),
    [
        (MANY % "abc", ["finished"] * 3),
        (MANY % "ac" + "print('error: b was lost'); sys.exit(6)", None),
        (DIES % 1 + MANY % "abc", ["finished"] * 3),
        (MANY % "a" + "sys.exit(3)", ["finished", "failed", "failed"]),
    ],
    ids=["all", "one diverges", "killed once", "locked"],
)
def test_each_point_of_one_program_has_its_end(tmp_path, script, states):
    points = [quick(tmp_path, name) for name in "abc"]
    job = quick(tmp_path, "a", script, finish=None)._replace(members=tuple(points))
    ends = run([job])
    assert list(ends) == list("abc")
    if states is None:
        assert ends["b"] == Ended("diverged", "b was lost")
        states = ["finished", "diverged", "finished"]
    assert [end.state for end in ends.values()] == states


@pytest.mark.parametrize(
    ("cores", "workers", "shares"),
    [
        ([0, 1], 2, [{0}, {1}]),
        ([0, 1, 2, 3, 4], 2, [{0, 1}, {2, 3, 4}]),
        ([3, 7], 1, [{3, 7}]),
        ([3, 7], 3, [{3}, {7}, {3}]),
    ],
)
def test_shares_of_cores(cores, workers, shares):
    assert local._shares(cores, workers) == shares


def test_a_process_has_its_share_of_the_cores(tmp_path):
    cores = sorted(os.sched_getaffinity(0))
    script = "print(*sorted(os.sched_getaffinity(0)))"
    jobs = [quick(tmp_path, name, script) for name in "ab"]
    run(jobs, 1)
    assert (jobs[0].folder / "log.txt").read_text().split() == [str(c) for c in cores]
    assert sorted(os.sched_getaffinity(0)) == cores
