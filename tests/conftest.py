"""Compiling is most of what the tests do: once for equal programs, and in haste.

Beside that, what tests of several folders share: a corpus, commands, small disks.
"""

import collections
import os
import subprocess
import tempfile

import jax
import pytest
from starts import Server

_CACHE = tempfile.TemporaryDirectory(prefix="rnnlab-tests-")
OPTIONS = {
    "jax_compilation_cache_dir": _CACHE.name,
    "jax_persistent_cache_min_compile_time_secs": 0,
    # Slower programs that are made in half the time. Their numbers are what is tested;
    # how fast they are is measured by launch/bench.py, which has none of this.
    "jax_disable_most_optimizations": True,
}
for _name, _value in OPTIONS.items():
    jax.config.update(_name, _value)
    os.environ[_name.upper()] = str(_value)  # for the commands that tests start

# Likewise. A later jaxlib may not know these flags any more, and would refuse to start.
if jax.__version_info__ < (0, 11):
    _FLAGS = [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",  # the cores have a worker each
    ]
    os.environ["XLA_FLAGS"] = " ".join(_FLAGS)


def pytest_addoption(parser):
    parser.addoption(
        "--full", action="store_true", help="tests/faults: all repetitions, not a part"
    )


def pytest_terminal_summary(terminalreporter):
    """Prints what the fault suite did, as a table that BENCHMARKS.md can take."""
    counts = collections.Counter()
    for report in terminalreporter.getreports("passed"):
        for name, count in report.user_properties:
            counts[name] += count
    if counts:
        lines = ["| fault | times |", "|---|--:|"]
        lines += [f"| {name} | {count:,} |" for name, count in sorted(counts.items())]
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture(scope="module", autouse=True)
def _forgotten():
    """Forgets a file's programs after it: a process may map 65,530 pieces of memory.

    A worker that kept those of all files came to 6 GB, and to an end.
    """
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A text of 99 lines."""
    file = tmp_path_factory.mktemp("corpus") / "text.txt"
    lines = [f"{n} bottles of beer on the wall, {n} bottles.\n" for n in range(99)]
    file.write_text("".join(lines))
    return file


@pytest.fixture(scope="session")
def server():
    """Starts commands without their imports."""
    with Server() as server:
        yield server


@pytest.fixture
def disk(tmp_path):
    """A function that makes `tmp_path / "disk"` a disk with options of mount's."""
    place = tmp_path / "disk"

    def mount(options):
        if os.geteuid() != 0:
            pytest.skip("mounting a disk takes root")
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"no disk could be mounted: {mounted.stderr.strip()}")
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=True)
