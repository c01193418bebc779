"""Kills at any time: nothing torn, nothing acknowledged lost, the same end."""

import random
import signal
import time

from starts import events, final

from rnnlab.training.checkpoints import Checkpoints

LONG = {"steps": 600, "checkpoint_every": 10, "eval_every": 100}


def test_a_run_that_is_killed_again_and_again_ends_as_if_undisturbed(
    server, flags, tmp_path, many, counted
):
    flags = flags | LONG
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    began = time.monotonic()
    started = server.start("run", workdir=calm, **flags)
    started.until(lambda: events(calm, "saved"))
    ready = time.monotonic() - began  # imports, data, compiling and a first save
    assert started.wait().code == 0
    rng, kills, lives = random.Random(0), many(20, 200), 0
    while kills:
        lives += 1
        life = server.start("run", workdir=killed, resume=True, **flags)
        time.sleep(rng.uniform(0.1, 1.6) * ready)
        number = signal.SIGTERM if rng.random() < 0.15 else signal.SIGKILL
        life.send(number)
        ended = life.wait()
        kills -= ended.code != 0
        assert ended.code in (0, -signal.SIGKILL, 128 + signal.SIGTERM), ended.err
        assert "Traceback" not in ended.err
        told = [event["step"] for event in events(killed, "saved")]
        with Checkpoints(killed / "checkpoints", 2) as newest:
            whole, damaged = newest.whole()
            steps = newest.steps
        assert not damaged
        assert (whole.step if whole else 0) >= max(told, default=0)
        assert len(steps) >= min(2, len({*told}))
        if ended.code == 0:  # it came to its end before the signal: a new one
            assert final(killed) == final(calm)
            killed = tmp_path / f"killed-{lives}"
    assert server.run("run", workdir=killed, resume=True, **flags).code == 0
    assert final(killed) == final(calm)
    metrics = [(folder / "metrics.jsonl").read_bytes() for folder in (calm, killed)]
    assert metrics[0] == metrics[1]
    left = [path.name for path in killed.rglob("*.tmp")]
    assert not left
    counted("random kills", lives)


def holder(workdir):
    """Returns what the lock says of its owner."""
    return (workdir / ".lock").read_text() if (workdir / ".lock").exists() else ""


def test_a_death_at_any_time_frees_the_workdir(server, flags, tmp_path, many, counted):
    """A killed owner's lock is free at once; a second writer is told who holds it."""
    for _ in range(many(2, 20)):
        owner = server.start("run", workdir=tmp_path, resume=True, **flags, keep=2)
        owner.until(lambda owner=owner: str(owner.pid) in holder(tmp_path))
        owner.send(signal.SIGKILL)
        owner.wait()
        assert server.run("checkpoints", "list", tmp_path).code == 0
    assert server.run("run", workdir=tmp_path, resume=True, **flags).code == 0
    counted("killed owners of a lock", many(2, 20))


def test_of_several_writers_at_once_one_trains(server, flags, tmp_path, many, counted):
    for turn in range(many(1, 20)):
        for writers in (2, 3):
            folder = tmp_path / f"{turn}-{writers}"
            long = flags | {"steps": 4000}
            started = [
                server.start("run", workdir=folder, **long) for _ in range(writers)
            ]
            while not events(folder, "saved"):
                assert any(one.state != "Z" for one in started)
                time.sleep(0.01)
            for one in started:
                one.send(signal.SIGTERM)
            ended = [one.wait() for one in started]
            assert sorted(each.code for each in ended) == [3] * (writers - 1) + [143]
            others = [each for each in ended if each.code == 3]
            assert all("writes to it" in each.error for each in others)
            with Checkpoints(folder / "checkpoints", 2) as newest:
                whole, damaged = newest.whole()
            assert whole and not damaged
            assert len(events(folder, "started")) == 1
            counted("second and third writers", writers - 1)
