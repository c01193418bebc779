"""Two and four processes are one run: its metrics, its checkpoints, its end."""

import os
import signal
import time

import numpy as np
import pytest
from starts import events, final

from tests.scale.jobs import Job, metrics, start


@pytest.fixture(scope="module")
def flags(corpus):
    """Of a run of 60 steps on batches of 4 rows, 20 in evaluation."""
    return {
        "data": corpus,
        "cache_dir": corpus.parent / "cache",
        "features": 8,
        "batch_size": 4,
        "length": 10,
        "steps": 60,
        "eval_every": 20,
        "checkpoint_every": 5,
        "log_every": 5,
        "dropout": 0.2,
    }


@pytest.fixture(scope="module")
def alone(server, flags, tmp_path_factory):
    """The workdir of the run of one process."""
    folder = tmp_path_factory.mktemp("alone")
    with Job(server, 1, folder, flags) as job:
        job.done()
    return folder


@pytest.fixture(scope="module")
def two(server, flags, tmp_path_factory):
    """The workdir of the run of two processes that nothing disturbed.

    Of `--devices` there are two, one in each; fewer are refused in tests/faults.
    """
    folder = tmp_path_factory.mktemp("two")
    with Job(server, 2, folder, flags, devices=2) as job:
        (_, first), (_, second) = job.done()
    assert "valid loss" in first and not second  # one tells
    return folder


def same(folder, wanted):
    """Asserts that two runs have the same metrics, up to the order of additions."""
    pairs = [*zip(metrics(folder), metrics(wanted), strict=True)]
    assert len(pairs) == 15
    for row, other in pairs:
        assert row.keys() == other.keys()
        np.testing.assert_allclose([*row.values()], [*other.values()], rtol=1e-5)


def test_the_metrics_are_those_of_one_process(two, alone):
    same(two, alone)


def test_a_stop_of_one_is_a_stop_of_all_and_four_go_on(server, flags, tmp_path, alone):
    """With the embedding cut in two by the first two, in none by the four."""
    with Job(server, 2, tmp_path, flags, shard="fsdp") as job:
        job.until("saved", 15)
        job.send(1)  # it does not write
        ends = job.ends()
    (stop,) = events(tmp_path, "preempted")
    for code, told in ends:
        assert code == 143, ends
        line = told.strip().splitlines()[-1]
        assert line.startswith(f"error: Stopped by SIGTERM after step {stop['step']},")
    assert 15 < stop["step"] < 60
    assert events(tmp_path, "saved")[-1]["step"] == stop["step"]
    with Job(server, 4, tmp_path, flags, resume=True) as job:
        (_, told), *_ = job.done()
    assert events(tmp_path, "resumed")[0]["step"] == stop["step"]
    for change in ("devices: 2 -> 4", "processes: 2 -> 4", "shard: fsdp -> replicated"):
        assert change in told
    same(tmp_path, alone)


def test_one_after_the_other_is_lost_and_the_job_goes_on(server, flags, tmp_path, two):
    flags = flags | {"resume": True}
    for killed, step in ((0, 10), (1, 30)):
        with Job(server, 2, tmp_path, flags) as job:
            job.until("saved", step)
            job.send(killed, signal.SIGKILL)
            sent = time.monotonic()
            ends = job.ends()
            assert time.monotonic() - sent < 60
        code, told = ends[1 - killed]
        assert code == 9, ends
        line = told.strip().splitlines()[-1]
        assert line.startswith("error: Another process of this run was lost (")
        assert line.endswith("with --resume go on from the last checkpoint.")
        assert not events(tmp_path, "finished") and "Traceback" not in told
    with Job(server, 2, tmp_path, flags) as job:
        job.done()
    assert len(events(tmp_path, "resumed")) == 2
    assert final(tmp_path) == final(two)
    assert metrics(tmp_path) == metrics(two)


def test_a_refusal_by_the_first_is_told_by_all(server, flags, two):
    before = sorted(os.listdir(two))
    with Job(server, 2, two, flags) as job:
        ends = job.ends()
    for code, told in ends:
        assert code == 2 and told.startswith("error: --workdir must be a folder"), told
    assert sorted(os.listdir(two)) == before


@pytest.mark.parametrize("k", [0, 1])
def test_a_coordinator_that_is_not_reached_is_named(
    server, flags, tmp_path, free_port, k
):
    place = f"localhost:{free_port}"
    joined = {"coordinator": place, "processes": 2, "process_id": k}
    given = flags | joined | {"workdir": tmp_path / "run", "connect_seconds": 1}
    ended = start(server, given).wait()
    assert ended.code == 2 and len(ended.err.strip().splitlines()) == 1, ended.err
    for word in ("error: ", "within 1 s", place, f"process {k} of 2"):
        assert word in ended.err
    assert not (tmp_path / "run").exists()
