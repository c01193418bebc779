"""A disk that is full, or broken, ends a run in order and spares what was saved."""

import signal

import pytest
from starts import events, final
from tracing import attach

from rnnlab.training.checkpoints import Checkpoints

LONG = {"steps": 400, "checkpoint_every": 5, "eval_every": 100, "features": 64}


@pytest.fixture(scope="module")
def calm(server, tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("calm")
    flags = request.getfixturevalue("flags") | LONG
    assert server.run("run", workdir=folder, **flags).code == 0
    return folder


def whole_steps(folder):
    with Checkpoints(folder / "checkpoints", 2) as newest:
        whole, damaged = newest.whole()
        assert not damaged
        return newest.steps if whole else []


def told_steps(folder):
    return [event["step"] for event in events(folder, "saved")]


def test_a_disk_that_fills_up(server, flags, calm, disk, many, counted):
    """What is there stays whole; with room again, the run ends as if undisturbed."""
    place = disk("size=12m")
    folder, filler = place / "run", place / "filler"
    flags = flags | LONG
    for turn in range(many(2, 20)):
        started = server.start("run", workdir=folder, resume=True, **flags)
        first = len(events(folder, "saved"))
        wanted = first + 2 + turn % 3
        started.until(lambda wanted=wanted: len(events(folder, "saved")) >= wanted)
        with open(filler, "wb", buffering=0) as stream:
            try:
                while True:
                    stream.write(bytes(4096))
            except OSError:
                pass
        ended = started.wait()
        assert ended.code == 7, ended.err
        assert str(folder) in ended.error and "bytes free there" in ended.error
        assert len(ended.error) <= 600 and "Traceback" not in ended.err
        told = told_steps(folder)
        assert len(whole_steps(folder)) >= 2
        assert max(whole_steps(folder)) >= max(told)
        left = [p for p in (folder / "checkpoints").iterdir() if p.suffix == ".tmp"]
        assert not left  # its space is given back
        filler.unlink()
    assert server.run("run", workdir=folder, resume=True, **flags).code == 0
    assert final(folder) == final(calm)
    counted("disks filled up", many(2, 20))


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_disk_that_cannot_sync(server, flags, calm, tmp_path, error, counted):
    """Told within the next save, though nothing asks for what it wrote."""
    flags = flags | LONG
    started = server.start("run", workdir=tmp_path, **flags)
    started.until(lambda: len(events(tmp_path, "saved")) >= 2)
    started.send(signal.SIGSTOP)
    inject = f"inject=fsync,fdatasync:error={error}"
    tracer = attach(started.pid, "-e", "trace=fsync,fdatasync", "-e", inject)
    started.send(signal.SIGCONT)
    tracer.communicate()
    ended = started.wait()
    assert ended.code == 7, ended.err
    assert "could not be written" in ended.error and "Traceback" not in ended.err
    assert max(whole_steps(tmp_path)) == max(told_steps(tmp_path))
    assert server.run("run", workdir=tmp_path, resume=True, **flags).code == 0
    assert final(tmp_path) == final(calm)
    counted("syncs that fail", 1)


def test_a_limit_on_the_size_of_files(server, flags, tmp_path):
    """As a quota does; the limit is 20 KB, below an array of the embedding."""
    given = [f"--{name}={value}" for name, value in (flags | LONG).items()]
    limit = {"largest_file": 20_000}
    ended = server.fork("launch.run", *given, f"--workdir={tmp_path}", **limit).wait()
    assert ended.code == 7 and "Traceback" not in ended.err, ended.err
    assert "could not be written" in ended.error
