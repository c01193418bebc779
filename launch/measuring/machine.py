"""The machine that a benchmark runs on: what it is, how fast, and how busy."""

import contextlib
import datetime
import importlib.metadata
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from launch import results

ROOT = Path(__file__).resolve().parents[2]

PRODUCT_OPERATIONS = 2 * 2048**3
COPY_BYTES = 2 * 2**28  # read and written


def product() -> Callable[[], object]:
    """Returns a product of two square matrices of 2048 rows."""
    matrix = jax.random.normal(jax.random.key(0), (2048, 2048))
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(matrix, matrix).block_until_ready()


def copy() -> Callable[[], object]:
    """Returns a pass over 256 MiB that are there already: no page is new."""
    change = jax.jit(jnp.negative, donate_argnums=0)
    array = jnp.ones(2**26)

    def run():
        nonlocal array
        array = change(array).block_until_ready()

    return run


def others(since: float = 0.0) -> float:
    """Returns the seconds of processor time that other processes have had.

    Args:
        since: what an earlier call returned, to be taken off.

    Returns:
        Seconds, with a resolution of some hundredths; NaN where /proc/stat is missing.
    """
    stat = Path("/proc/stat")
    if not stat.exists():
        return float("nan")
    user, nice, system, _, _, irq, softirq, steal = map(
        int, stat.read_text().split(maxsplit=9)[1:9]
    )
    busy = user + nice + system + irq + softirq + steal
    own = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        own += usage.ru_utime + usage.ru_stime
    return busy / os.sysconf("SC_CLK_TCK") - own - since


def others_share() -> Callable[[], float]:
    """Returns a function that tells the share of all cores that others had since."""
    began, before = time.perf_counter(), others()

    def share():
        cores = (os.cpu_count() or 1) * (time.perf_counter() - began)
        return others(before) / cores

    return share


class Facts(NamedTuple):
    """What a number depends on beside what was measured, as JSON data.

    Attributes:
        commit: this code's, `-dirty` where files differ from it.
        device: processor, cores that this process may use, JAX's backend.
        versions: of Python and of the libraries that are compared.
        date: in ISO 8601.
    """

    commit: str
    device: str
    versions: dict[str, str]
    date: str


def facts() -> Facts:
    """Returns what holds here and now."""
    versions = {"Python": platform.python_version()}
    for name in ("jax", "flax", "dm-haiku", "equinox", "torch"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"
    return Facts(
        results.commit() or "unknown",
        f"{_processor()}, {cores}, {jax.default_backend()}",
        versions,
        str(datetime.date.today()),
    )


def describe() -> str:
    """Returns one line: commit, processor, versions, allocator, date."""
    known = facts()
    malloc = [f"{k}={v}" for k, v in os.environ.items() if k.startswith("MALLOC_")]
    return "; ".join(
        [
            f"Commit {known.commit}",
            known.device,
            ", ".join(f"{name} {number}" for name, number in known.versions.items()),
            " ".join(["allocator: launch/allocator.py for all", *malloc]),
            known.date,
        ]
    )


def _processor() -> str:
    """Returns the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()
