"""What the fault tests share: a way to start commands, a run, their number."""

import socket

import pytest


@pytest.fixture
def many(request):
    """Returns `n -> how often`: the first number in CI, the second with --full."""
    full = request.config.getoption("--full")
    return lambda part, whole: whole if full else part


@pytest.fixture
def counted(record_property):
    """Returns a function that notes, for the report, what was done how often."""
    return record_property


@pytest.fixture(scope="session")
def flags(corpus):
    """Of a run of 40 steps that takes a second: saves every 4, validates every 10."""
    return {
        "data": corpus,
        "cache_dir": corpus.parent / "cache",
        "features": 8,
        "batch_size": 4,
        "length": 10,
        "steps": 40,
        "eval_every": 10,
        "checkpoint_every": 4,
        "log_every": 5,
        "dropout": 0.2,
    }


@pytest.fixture(scope="session")
def finished(server, flags, tmp_path_factory):
    """The workdir of that run when it is done: for copies, and for what is refused."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    ended = server.run("run", workdir=folder, **flags)
    assert ended.code == 0, ended.err
    return folder


@pytest.fixture
def free_port():
    """Returns a port of this machine that nobody listens to."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return one.getsockname()[1]
