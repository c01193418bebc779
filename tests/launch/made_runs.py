"""Workdirs as launch.run leaves them, made in no time: no run was trained for them."""

import dataclasses
import json
import math

import numpy as np

from experiments.language_modeling.config import Config
from launch import records

LOSSES = {"gru": [1.5, 1.7, 1.6], "lstm": [1.9, 2.1, 2.3]}
HOSTILE = (
    "</script><script>window.fired=1</script><img src=x onerror=window.fired=2>"
    "\"'><svg onload=window.fired=3> & \u202e`$(touch x)`"
)
TRAINING = {field.name for field in dataclasses.fields(Config().training)}


def config(**changes):
    inner = {k: v for k, v in changes.items() if k in TRAINING}
    outer = {k: v for k, v in changes.items() if k not in TRAINING}
    training = dataclasses.replace(Config().training, **inner)
    return dataclasses.replace(Config(), training=training, **outer)


def result(loss, **more):
    return {
        "experiment": "language_modeling",
        "valid": {"loss": loss, "bits_per_char": loss / math.log(2)},
        "best_step": 50,
        "steps": 60,
        "tokens_per_second": 20_000,
        "seconds": 90.5,
        "parameters": 5_511,
        "data": {"fingerprint": "f" * 64},
        "versions": {"python": "3.11.7", "jax": "0.10.2"},
        "commit": "0123456789ab",
        "device": "x86_64 CPU, 2 cores",
    } | more


def rows(loss, count, seed):
    """Returns the rows of a run: a loss that falls to `loss`, and noise on it."""
    rng = np.random.default_rng(seed)
    steps = np.arange(1, count + 1) * 10
    noise = rng.normal(size=(2, count))
    losses = loss + 3 * np.exp(-steps / steps[-1] * 5) + 0.05 * noise[0]
    norms = np.exp(0.5 * noise[1])
    for k, step in enumerate(steps.tolist()):
        rate = 5e-3 * (1 - (k + 1) / count)
        row = {"loss": losses[k], "grad_norm": norms[k], "learning_rate": rate}
        yield {"step": step, **row}
        if k % max(1, count // 20) == 0:
            yield {"step": step, "valid_loss": loss + 3 * math.exp(-5 * k / count)}
            yield {"step": step, "layer_0/decay": 0.8 + 0.01 * noise[0, k]}


def write(folder, settings, rows, result=None, events=()):
    """Writes a workdir; `rows` and `events` are what their lines hold."""
    folder.mkdir(parents=True)
    data = {"fingerprint": "f" * 64}
    records.write(folder, records.Record("language_modeling", settings, data))
    for name, lines in (("metrics", rows), ("events", events)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text)
    if result is not None:
        (folder / "result.json").write_text(json.dumps(result))


def sweep(folder, configurations, seeds, count):
    """Writes a sweep over cells, rates and sizes, `count` rows of training a run."""
    rng = np.random.default_rng(0)
    for k in range(configurations):
        rate = float(f"{10 ** rng.uniform(-4, -1):.2g}")
        settings = {
            "cell": ("lstm", "gru", "rhn")[k % 3],
            "learning_rate": rate,
            "features": int(rng.choice([64, 128, 256, 512])),
            "dropout": float(rng.choice([0.0, 0.2, 0.5])),
            "clip_norm": (None, 5.0)[k % 2],
        }
        reached = 1.3 + 0.3 * abs(math.log10(rate) + 2.3) + 0.05 * (k % 3)
        for seed in range(seeds):
            loss = reached + 0.02 * float(rng.normal())
            write(
                folder / "runs" / f"{k:03}-{seed}",
                config(**settings, seed=seed),
                rows(loss, count, seed),
                result(loss),
            )


def two_cells(folder, hostile=""):
    """Writes runs of two configurations, and some that did not come to their end."""
    for cell, losses in LOSSES.items():
        for seed, loss in enumerate(losses):
            settings = config(cell=cell, seed=seed, data=hostile)
            more = {"commit": hostile, "device": [hostile]} if hostile else {}
            reached = result(loss, **more)
            lines = rows(loss, 40, seed)
            write(folder / f"{cell}{seed}", settings, lines, reached)
    settings = config(cell="gru", seed=3, data=hostile)
    lines = [{"step": 10, "loss": 4.5}, {"step": 20, "loss": None}]
    lines += [{"step": 20, hostile or "odd": 1.0}]
    end = {"event": "diverged", "message": hostile or "The loss is not finite."}
    write(folder / "lost", settings, lines, None, [end])
    settings = config(cell="rhn", data=hostile)
    write(folder / "cut", settings, [], None, [{"event": "started"}])
