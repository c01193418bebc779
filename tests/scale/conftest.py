"""What the tests of several processes share."""

import socket

import pytest


@pytest.fixture
def free_port():
    """Returns a port of this machine that nobody listens to."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return one.getsockname()[1]
