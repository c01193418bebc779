"""A language model that trains in a moment, and what disturbs and compares it."""

import dataclasses
import functools
import signal

import jax
import numpy as np

from experiments.language_modeling.task import LanguageTask
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.engines import auto
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.training.settings import Training

VOCAB = 11
SETTINGS = Training(
    steps=23, learning_rate=0.01, eval_every=5, checkpoint_every=4, log_every=3
)


@functools.cache
def make_task(cell, rows=2, layers=2):
    ids = np.random.default_rng(0).integers(0, VOCAB, 400).astype(np.uint8)
    model = LanguageModel(4, Stack((cell,) * layers, auto(cell), 0.3), Softmax(VOCAB))
    streams = {
        "train": TrainStream(ids[:300], rows, 5, VOCAB),
        "valid": EvalStream(ids[300:], 3, 5, VOCAB),
    }
    return LanguageTask(model, streams, {"train": rows, "valid": 3})


@dataclasses.dataclass(frozen=True)
class Interrupted:
    """A task that does `act` just before batch number `at` is handed out."""

    task: LanguageTask
    at: int
    act: object
    split: str = "train"

    def __getattr__(self, name):
        return getattr(self.task, name)

    def batches(self, split, start=0):
        for number, batch in enumerate(self.task.batches(split, start), start):
            if split == self.split and number == self.at:
                batch = self.act(batch)
            yield batch


def terminate(batch):
    signal.raise_signal(signal.SIGTERM)
    return batch


def same_bits(a, b):
    def data(leaf):
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        return np.asarray(leaf).tobytes()

    assert jax.tree.structure(a) == jax.tree.structure(b)
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(data(x) == data(y) for x, y in pairs)


def same_metrics(a, b):
    return (a / "metrics.jsonl").read_bytes() == (b / "metrics.jsonl").read_bytes()
