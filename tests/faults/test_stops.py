"""A request to stop is met by a save, at any time, and never by a crash."""

import random
import signal
import subprocess
import sys
import time

import pytest
from starts import ROOT, events, final

from rnnlab.training.checkpoints import Checkpoints

LONG = {"steps": 3000, "checkpoint_every": 1000, "eval_every": 50}
SAVING = {"steps": 4000, "checkpoint_every": 20}


def newest(folder):
    with Checkpoints(folder / "checkpoints", 2) as checkpoints:
        whole, damaged = checkpoints.whole()
    assert not damaged
    return whole.step if whole else None


def test_a_stop_at_any_time(server, flags, tmp_path, many, counted):
    """In imports and compilation there is nothing to save; later, all of it is."""
    flags = flags | LONG
    rng, saved = random.Random(1), 0
    for turn in range(many(10, 100)):
        folder = tmp_path / str(turn)
        started = server.start("run", workdir=folder, **flags)
        if turn % 8:  # most of them while it trains and validates
            started.until(lambda folder=folder: events(folder, "started"))
        time.sleep(rng.uniform(0, 1.5))
        sent = time.monotonic()
        started.send(signal.SIGTERM)
        ended = started.wait()
        took = time.monotonic() - sent
        assert ended.code == 143, ended.err
        assert ended.error.startswith("error: Stopped by SIGTERM")
        assert "Traceback" not in ended.err
        if events(folder, "started"):
            stopped = events(folder, "preempted")[-1]["step"]
            assert newest(folder) == stopped == events(folder, "saved")[-1]["step"]
            assert f"after step {stopped}, which is saved" in ended.error
            assert took < 20  # compiling is waited for
            saved += 1
    assert saved
    counted("SIGTERM at a random time", many(10, 100))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1, signal.SIGTERM])
def test_a_stop_while_it_compiles(server, flags, tmp_path, counted, number):
    """Nothing is kept of what was compiled before, so that it takes its time."""
    folder = tmp_path / "run"
    env = {"JAX_COMPILATION_CACHE_DIR": ""}
    started = server.start("run", workdir=folder, env=env, **flags | LONG)
    started.until(lambda: events(folder, "started"))
    started.send(number)
    ended = started.wait()
    assert ended.code == 143, ended.err
    assert newest(folder) == 1
    counted("stops while it compiles", 1)


def test_a_second_signal_ends_it_at_once_and_what_was_saved_is_whole(
    server, flags, tmp_path
):
    folder = tmp_path / "run"
    started = server.start("run", workdir=folder, **flags | SAVING)
    started.until(lambda: len(events(folder, "saved")) >= 2)
    started.send(signal.SIGSTOP)
    started.send(signal.SIGINT)
    started.send(signal.SIGUSR1)  # of two that wait, Python takes the lower one first
    started.send(signal.SIGCONT)
    ended = started.wait()
    assert ended.code == 128 + signal.SIGUSR1, ended.err
    assert "Traceback" not in ended.err
    assert not events(folder, "preempted")
    assert newest(folder) >= events(folder, "saved")[-1]["step"]


def test_a_validation_is_left_at_a_signal_and_made_up_for(server, flags, tmp_path):
    """Validating in rows of one token, 500 batches, leaves time to be stopped in it."""
    slow = flags | {"eval_batch_size": 1, "length": 1, "eval_every": 20}
    calm, stopped = tmp_path / "calm", tmp_path / "stopped"
    assert server.run("run", workdir=calm, **slow).code == 0
    started = server.start("run", workdir=stopped, **slow)
    file = stopped / "metrics.jsonl"
    started.until(lambda: file.exists() and '"step": 20' in file.read_text())
    started.send(signal.SIGTERM)
    assert started.wait().code == 143
    assert "valid_loss" not in file.read_text()
    assert newest(stopped) == 20
    assert server.run("run", workdir=stopped, resume=True, **slow).code == 0
    assert final(stopped) == final(calm)
    metrics = [(folder / "metrics.jsonl").read_bytes() for folder in (calm, stopped)]
    assert metrics[0] == metrics[1]


DISTRIBUTED = """
import sys
import jax
jax.distributed.initialize(sys.argv.pop(1), num_processes=1, process_id=0)
import runpy
sys.argv[0] = "launch/run.py"
runpy.run_module("launch.run", run_name="__main__")
"""


def test_a_stop_under_jax_distributed(flags, tmp_path, free_port):
    given = [f"--{name}={value}" for name, value in (flags | LONG).items()]
    command = [sys.executable, "-c", DISTRIBUTED, f"localhost:{free_port}"]
    process = subprocess.Popen(
        [*command, f"--workdir={tmp_path}", *given],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not events(tmp_path, "started"):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 143, err
    assert newest(tmp_path) == events(tmp_path, "preempted")[-1]["step"]


def test_a_stop_outside_of_training_is_one_line(server, flags, tmp_path):
    """An evaluation has nothing to save; a signal while it compiles is no crash."""
    folder = tmp_path / "run"
    assert server.run("run", workdir=folder, **flags).code == 0
    before = (folder / "result.json").read_bytes()
    for number, wait in [(signal.SIGINT, 0.2), (signal.SIGTERM, 0.5)]:
        env = {"JAX_COMPILATION_CACHE_DIR": ""}
        started = server.start("evaluate", workdir=folder, split="test", env=env)
        time.sleep(wait)
        started.send(number)
        ended = started.wait()
        assert ended.code == 128 + number, ended.err
        assert "Traceback" not in ended.err
        assert (folder / "result.json").read_bytes() == before
