"""What the tests of several commands share."""

import pytest

from tests.chromium import browser

__all__ = ["browser"]


@pytest.fixture(scope="session")
def run(server):
    """Returns `(command, *flags) -> (exit code, output, errors)`: without imports."""

    def run(name, *flags):
        last = {flag.partition("=")[0]: flag for flag in flags}  # of several
        ended = server.run(name, *last.values(), limit=240)
        return ended.code, ended.out, ended.err

    return run
