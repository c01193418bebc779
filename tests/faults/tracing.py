"""strace on a command that was started stopped, or on one under way."""

import subprocess

import pytest


def attach(pid, *options):
    """Returns strace at work on a process and all its threads; skips where it cannot.

    It has attached to them on return, and ends with the process.
    """
    try:
        tracer = subprocess.Popen(
            ["strace", "-f", *options, "-p", str(pid)],
            stderr=subprocess.PIPE,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("strace is not installed")
    said = tracer.stderr.readline()
    if "attached" not in said:
        tracer.communicate()
        pytest.skip(f"strace cannot run here: {said.strip()}")
    return tracer
