"""What changes the bits of a run is in its fingerprint."""

import os
import subprocess
import sys

import pytest

from rnnlab.training import numerics

SHOW = "from rnnlab.training import numerics; print(numerics.fingerprint())"


def fingerprint(*command, **env):
    shown = subprocess.run(
        [*command, sys.executable, "-c", SHOW],
        env={**os.environ, "JAX_PLATFORMS": "cpu", **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout


@pytest.fixture(scope="module")
def usual():
    return fingerprint()


@pytest.mark.parametrize(
    "command, env",
    [
        (("taskset", "-c", "0"), {}),
        ((), {"NPROC": "1"}),
        ((), {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}),
        ((), {"JAX_ENABLE_X64": "1"}),
        ((), {"JAX_DEFAULT_PRNG_IMPL": "rbg"}),
        ((), {"JAX_DEFAULT_MATMUL_PRECISION": "bfloat16"}),
        ((), {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}),
    ],
    ids=str,
)
def test_each_of_these_shows(usual, command, env):
    if command and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core cannot be taken from one")
    assert fingerprint(*command, **env) != usual


def test_changes_are_named():
    old = {"jax": "1", "cores": "2", "gone": "x"}
    new = {"jax": "1", "cores": "1", "new": "y"}
    found = ["cores: 2 -> 1", "new: None -> y", "gone: x -> None"]
    assert numerics.changes(old, new) == found
    assert numerics.changes([], {"jax": "1"}) == ["jax: None -> 1"]
    assert numerics.changes(new, new) == []
