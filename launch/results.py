"""`result.json`: what a run reached, by which code, on which machine."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.experiment import Experiment
from experiments.interval import LEVEL, interval
from launch.records import Record
from rnnlab import files
from rnnlab.errors import InputError
from rnnlab.training.history import History
from rnnlab.training.step import State

RESULT = "result.json"
PACKAGES = ("rnnlab", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def read(folder: Path) -> dict[str, Any]:
    """Returns the `result.json` of a workdir, {} where there is none.

    Raises:
        InputError: it is something else.
    """
    file = folder / RESULT
    known = files.read_json(file) if os.path.lexists(file) else {}
    if not isinstance(known, dict):
        raise InputError(
            f"{file} should hold figures by name, got {known!r:.80}; delete it."
        )
    return known


def collect(
    experiment: Experiment, record: Record, state: State, history: History
) -> dict[str, Any]:
    """Returns the outcome of a finished run as JSON data.

    `loss` is in nats a token, `tokens_per_second` leaves out compiling, validating
    and saving; `seconds` has these, resumed parts included, but not reading the text
    and drawing the parameters.
    """
    result: dict[str, Any] = {"experiment": record.experiment}
    if history.best_loss is not None:
        result["valid"] = figures(experiment, history.best_loss, "valid")
    rate = history.train_steps * experiment.targets
    return result | {
        "best_step": history.best_step,
        "steps": int(state.step),
        "tokens_per_second": round(rate / history.train_seconds)
        if history.train_seconds
        else None,
        "seconds": round(history.seconds, 1),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
        "data": {k: v for k, v in record.data.items() if k != "tokenizer"},
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "commit": commit(),
        "device": device(),
    }


def figures(experiment: Experiment, loss: float, split: str) -> dict[str, float]:
    """Returns a loss on a split and the figures people quote for it."""
    return {"loss": loss, **experiment.describe(loss, split)}


def measured(experiment: Experiment, costs: np.ndarray, split: str) -> dict[str, Any]:
    """Returns the figures of a split, and the interval that each lies in.

    Args:
        experiment: whose figures are wanted.
        costs: nats of each target in the order of the data, [N].
        split: the data's.

    Raises:
        InputError: a cost is not finite.
    """
    finite = np.isfinite(costs)
    if not finite.all():
        raise InputError(
            f"A finite loss was wanted for each target of {split}, got"
            f" {costs[~finite][0]} for {np.sum(~finite):,} of {len(costs):,}; take"
            f" another checkpoint, or a lower --dynamic_rate where parameters follow."
        )
    ends = [figures(experiment, end, split) for end in interval(costs)]
    both = {name: [end[name] for end in ends] for name in ends[0]}
    mean = float(costs.mean(dtype=np.float64))
    return figures(experiment, mean, split) | {f"{LEVEL:.0%} interval": both}


def add(folder: Path, found: dict[str, Any]) -> None:
    """Writes more figures to the `result.json` of a workdir."""
    files.write_json(folder / RESULT, read(folder) | found)


def commit() -> str | None:
    """Returns this code's git commit, `-dirty` where files differ from it, or None."""
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(
            command, cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or not a checkout


def device() -> str:
    """Returns the accelerator's kind, or the processor's architecture and cores."""
    first = jax.devices()[0]
    if first.platform != "cpu":
        return f"{len(jax.devices())} x {first.device_kind}"
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"
