"""The GPUs of this machine, found without JAX, which would take memory on each."""

import importlib.util
import itertools
import os
import re
import subprocess

VISIBLE = "CUDA_VISIBLE_DEVICES"
LIMIT = 60  # seconds for nvidia-smi, which wakes GPUs that sleep


def found() -> list[str]:
    """Returns what CUDA calls the GPUs that runs would use: numbers, or long names.

    None where JAX has no plugin for them, or `JAX_PLATFORMS` leaves them out.
    """
    platforms = (os.environ.get("JAX_PLATFORMS") or "cuda").split(",")
    if not {"cuda", "gpu"} & {*platforms}:
        return []
    if importlib.util.find_spec("jax_plugins") is None:
        return []
    given = os.environ.get(VISIBLE)
    if given is None:
        return _listed()
    # CUDA takes none from the first on that is not one.
    return [*itertools.takewhile(lambda name: name not in ("", "-1"), given.split(","))]


def environment(gpus: list[str], worker: int) -> dict[str, str]:
    """Returns the variables of a worker, who sees one GPU where there are several.

    More workers than GPUs share them, in turn.
    """
    own = {VISIBLE: gpus[worker % len(gpus)]} if len(gpus) > 1 else {}
    return os.environ | own


def _listed() -> list[str]:
    """Returns the long names of those that the driver knows, none where there is none.

    Not their numbers: CUDA has an order of its own.
    """
    command = ["nvidia-smi", "-L"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return []
    names: list[str] = []
    for name in re.findall(r"\(UUID: (\S+)\)", told.stdout):
        if name.startswith("MIG-") and names and names[-1].startswith("GPU-"):
            names.pop()  # it is cut into the ones that follow
        names.append(name)
    return names
