"""What the bits of a run depend on beside its code, data and configuration."""

import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

_SETTINGS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
)

# What a run was that does not say: it is from before there was a choice.
_EARLIER = {"processes": "1", "shard": "replicated"}


def fingerprint(shard: str = "replicated") -> dict[str, str]:
    """Returns versions, devices, cores and settings by name.

    A run that is resumed where all of these are equal goes on bit for bit.
    """
    devices = jax.devices()
    known = {
        **{name: metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax")},
        "backend": devices[0].platform,
        "device": devices[0].device_kind,
        "devices": len(devices),
        "processes": jax.process_count(),
        "shard": shard,
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "NPROC": os.environ.get("NPROC"),
        "XLA_FLAGS": os.environ.get("XLA_FLAGS"),
        **{name: getattr(jax.config, name) for name in _SETTINGS},
        "optimizations": not jax.config.read("jax_disable_most_optimizations"),
    }
    return {name: str(value) for name, value in known.items()}


def changes(old: Any, new: dict[str, str]) -> list[str]:
    """Returns `cores: 2 -> 1` for each entry that differs."""
    old = old if isinstance(old, dict) else {}
    old = {name: value for name, value in _EARLIER.items() if name in new} | old
    return [
        f"{name}: {old.get(name)} -> {new.get(name)}"
        for name in {**new, **old}
        if old.get(name) != new.get(name)
    ]


def processor() -> str:
    """Returns the model, and a hash of its instructions: XLA compiles for these."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor()
    pairs = (line.partition(":") for line in file.read_text().splitlines())
    known = {name.strip(): value.strip() for name, _, value in pairs}
    flags = known.get("flags") or known.get("Features", "")  # the second on ARM
    flags = hashlib.sha256(flags.encode()).hexdigest()
    return f"{known.get('model name', platform.machine())} {flags[:8]}"
