"""What a run gives on 1, 2, 4 and 8 devices of one process: see `test_devices`.

`python -m tests.scale.spread FOLDER` writes JSON to standard output.
"""

import json
import re
import sys
from pathlib import Path

import jax
import numpy as np

from experiments.language_modeling.task import LanguageTask
from rnnlab.cells import LSTM
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.engines import auto
from rnnlab.nn import TCN, LanguageModel, Softmax, Stack, Transformer
from rnnlab.training import loop, mesh, resume, step
from rnnlab.training.averaging import Averaging
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.evaluate import evaluator
from rnnlab.training.leaves import digest
from rnnlab.training.quiet import Quiet
from rnnlab.training.settings import Training

VOCAB, EMBEDDING, UNITS, ROWS, STEPS = 16, 8, 8, 8, 5
SETTINGS = Training(
    steps=12, learning_rate=0.01, checkpoint_every=12, log_every=1,
    averaging=Averaging(average="ema"),
)  # fmt: skip
# Each number of devices, and both rules with few and with many.
SPREAD = (("replicated", 2), ("fsdp", 2), ("fsdp", 4), ("replicated", 8), ("fsdp", 8))
RECURRENT = Stack((LSTM(UNITS),), auto(LSTM(UNITS)), 0.3)
OTHERS = {
    "tcn": TCN(EMBEDDING, (UNITS,), dropout=0.3),
    "transformer": Transformer(UNITS, 1, heads=2, context=4, dropout=0.3),
}


def task(layout, body=RECURRENT):
    """Returns a small language model, with dropout, and three rows of evaluation."""
    ids = np.random.default_rng(0).integers(0, VOCAB, 900).astype(np.uint8)
    streams = {
        "train": TrainStream(ids[:600], ROWS, STEPS, VOCAB, layout.share(ROWS)),
        "valid": EvalStream(ids[600:], 3, STEPS, VOCAB, layout.share(3)),
    }
    model = LanguageModel(
        EMBEDDING,
        body,
        Softmax(VOCAB),
        rows_first=layout.padded(1) > 1,
    )
    return LanguageTask(model, streams, {"train": ROWS, "valid": layout.padded(3)})


def run(layout, folder):
    """Returns the rows of metrics, and where leaves of the state lie in the end."""
    folder.mkdir(parents=True)
    state, _ = loop.fit(
        task(layout), SETTINGS, folder, {}, lambda loss: {}, ROWS, layout=layout
    )
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    lies = {
        jax.tree_util.keystr(path): str(leaf.sharding.spec)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
        if hasattr(leaf.sharding, "spec")
    }
    return {
        "rows": [json.loads(row) for row in rows],
        "lies": lies,
        "bytes": _stored(state),
        "hash": digest(state),
        "test": evaluator(task(layout), layout)(state.params, "valid"),
    }


def _stored(state):
    """Returns the bytes of parameters and optimizer on the first device."""
    leaves = jax.tree.leaves((state.params, state.optimizer))
    return sum(leaf.addressable_shards[0].data.nbytes for leaf in leaves)


def restored(layout, folder):
    """Returns the hash of a run's last state on other devices."""
    settings = SETTINGS
    with (
        Checkpoints(folder / "checkpoints", 2) as newest,
        Checkpoints(folder / "best", 1) as best,
    ):
        begun = resume.resume(
            task(layout), settings, newest, best, Quiet(), folder, layout
        )
    return digest(begun.state)


def sent(layout):
    """Returns the bytes of each kind of collective in a compiled step."""
    made = task(layout)
    update = step.train_step(made, SETTINGS, SETTINGS.steps, layout)
    state = layout.state(made, lambda: step.init(made, SETTINGS))
    batch = layout.batch(made, next(made.batches("train")))
    return collectives(update.lower(state, batch).compile().as_text())


def losses(layout, body):
    """Returns the losses of the first steps of a model with another body."""
    made, found = task(layout, body), []
    update = step.train_step(made, SETTINGS, 30, layout)
    state = layout.state(made, lambda: step.init(made, SETTINGS))
    for _, rows in zip(range(5), made.batches("train"), strict=False):
        state, metrics = update(state, layout.batch(made, rows))
        found.append(float(metrics.loss))
    return found


SIZES = {"f32": 4, "s32": 4, "u32": 4, "pred": 1, "bf16": 2}
KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"


def collectives(text):
    """Returns the bytes that the collectives of a program give, by kind."""
    found = {}
    for shapes, kind in re.findall(rf"= (.+?) ({KINDS})(?:-start)?\(", text):
        size = sum(
            SIZES[dtype] * int(np.prod([int(n) for n in dims.split(",") if n]))
            for dtype, dims in re.findall(r"(\w+)\[([\d,]*)\]", shapes)
        )
        found[kind] = found.get(kind, 0) + size
    return found


def main():
    """Runs all of it."""
    folder = Path(sys.argv[1])
    found = {}
    layouts = {
        f"{rule}-{count}": mesh.over(jax.devices()[:count], rule)
        for rule, count in (("replicated", 1), *SPREAD)
    }
    for name, layout in layouts.items():
        found[name] = run(layout, folder / name)
        if layout is not mesh.ONE:
            found[name]["sent"] = sent(layout)
    pairs = [
        ("fsdp-8", "replicated-1"),
        ("replicated-1", "fsdp-4"),
        ("fsdp-4", "fsdp-2"),
    ]
    for before, after in pairs:
        found[f"{before} to {after}"] = restored(layouts[after], folder / before)
    for name, body in OTHERS.items():
        two = layouts["replicated-2"]
        found[name] = [losses(layout, body) for layout in (mesh.ONE, two)]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
