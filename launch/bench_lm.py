"""The whole training step of a language model: rnnlab's, flax's, torch's.

What is compared runs side by side in one process, in turns: on a shared machine a
rate says little, a ratio within one turn much more.
"""

import functools
import itertools
import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.language_modeling.task import LanguageTask
from launch import machine
from rnnlab.cells import LSTM
from rnnlab.data.streams import TrainStream
from rnnlab.engines import auto
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel
from rnnlab.training import step as training
from rnnlab.training.settings import Training

LAYERS = 2
LEARNING_RATE = 1.0
SECONDS = 0.4  # what each side gets of a turn


class Shape(NamedTuple):
    """A language model and its batch, in the letters of `rnnlab.cell`."""

    batch: int
    steps: int
    features: int
    vocab_size: int

    def __str__(self) -> str:
        return "{}, {}, {}, {:,}".format(*self)

    @property
    def tokens(self) -> int:
        """The tokens of one batch."""
        return self.batch * self.steps

    @property
    def operations(self) -> int:
        """Additions and multiplications of a step's products, forward and backward."""
        layer = (self.features + self.features) * 4 * self.features
        output = self.features * self.vocab_size
        return 3 * 2 * self.tokens * (LAYERS * layer + output)


SHAPES = (
    Shape(batch=20, steps=20, features=200, vocab_size=10_000),
    Shape(batch=20, steps=35, features=650, vocab_size=10_000),
    Shape(batch=50, steps=50, features=128, vocab_size=65),
)


def table(repeats: int, shapes: Sequence[Shape] = SHAPES) -> str:
    """Returns tokens a second, in Markdown, from `repeats` turns of each side.

    Raises:
        InputError: torch is not installed.
    """
    try:
        from launch import peers_flax, peers_torch
    except ModuleNotFoundError as error:
        raise InputError(
            f"--suite=lm needs the extra peers, but {error.name} is not installed; run"
            f" pip install -e '.[peers]'."
        ) from error
    trainers = {
        "rnnlab": ours,
        "flax": functools.partial(peer, peers_flax.trainer),
        "torch": functools.partial(peer, peers_torch.trainer),
    }
    yardsticks = {
        "product": machine.product(),
        "product in torch": peers_torch.product(),
        "copy": machine.copy(),
    }
    rows, products, copies = [], [], []
    began, before = time.perf_counter(), machine.others()
    for shape in shapes:
        batches = stream(shape)
        sides = {name: make(shape, batches) for name, make in trainers.items()}
        taken = in_turns(sides | yardsticks, repeats, SECONDS)
        fastest = np.minimum(taken["product"], taken["product in torch"])
        products += fastest.tolist()
        copies += taken["copy"]
        # Turn by turn: a neighbour slows the yardstick as it slows the step.
        limit = fastest * shape.operations / machine.PRODUCT_OPERATIONS
        for name in trainers:
            seconds = np.array(taken[name])
            low, middle, high = np.quantile(shape.tokens / seconds, (0.25, 0.5, 0.75))
            ratio = statistics.median(seconds / taken["rnnlab"])
            share = statistics.median(limit / seconds)
            rows.append(
                f"| {shape} | {name} | {middle:,.0f} | {low:,.0f} to {high:,.0f}"
                f" | {ratio:.2f} | {share:.0%} |"
            )
    cores = (os.cpu_count() or 1) * (time.perf_counter() - began)
    busy = machine.others(before) / cores
    rate = machine.PRODUCT_OPERATIONS / statistics.median(products) / 1e9
    copied = machine.COPY_BYTES / statistics.median(copies) / 1e9
    return "\n".join(
        [
            f"Tokens a second of the whole training step of a language model: embedding"
            f" (H), {LAYERS} LSTM layers, output layer, mean cross-entropy, gradient,"
            f" clipping by global norm, SGD; float32, carries handed on, a new batch"
            f" each step. Medians and quartiles of {repeats} turns.",
            "",
            f"The limit is all matrix products of forward and backward at the rate of a"
            f" product of 2048 x 2048, by XLA or torch, whichever was faster: here"
            f" {rate:.0f} GFLOP/s. A copy runs at {copied:.1f} GB/s, read and written."
            f" Other processes had {busy:.0%} of the cores meanwhile.",
            "",
            "| B, T, H, V | code | tokens/s | quartiles | rnnlab is faster by"
            " | share of the limit |",
            "|---|---|--:|--:|--:|--:|",
            *rows,
        ]
    )


def in_turns(
    sides: Mapping[str, Callable[[], object]], repeats: int, seconds: float
) -> dict[str, list[float]]:
    """Returns the seconds that a call of each side took, one number a turn.

    In a turn each side is called as often as fills `seconds`. The first calls, which
    compile, are not counted, nor is the first of each turn.

    Args:
        sides: functions that return when their work is done.
        repeats: the number of turns.
        seconds: what a side gets of each turn.
    """
    calls = {}
    for name, run in sides.items():
        run()
        run()
        calls[name] = math.ceil(seconds / _clock(run, 2))
    taken = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            run()  # caches and threads belong to the side before
            taken[name].append(_clock(run, calls[name]))
    return taken


def _clock(run: Callable[[], object], calls: int) -> float:
    """Returns the mean seconds of a call."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def ours(shape: Shape, batches: TrainStream) -> Callable[[], float]:
    """Returns one step of rnnlab's own training, on the next batch; gives the loss."""
    cells = (LSTM(shape.features),) * LAYERS
    model = LanguageModel(shape.vocab_size, shape.features, cells, auto(cells[0]))
    task = LanguageTask(model, {"train": batches}, {"train": shape.batch})
    settings = Training(optimizer="sgd", learning_rate=LEARNING_RATE, clip_norm=5.0)
    step = training.train_step(task, settings, steps=10**6)
    state = training.init(task, settings)
    upcoming = task.batches("train")

    def run():
        nonlocal state
        state, metrics = step(state, next(upcoming))
        return float(metrics.loss)

    return run


def peer(trainer, shape: Shape, batches: TrainStream) -> Callable[[], float]:
    """Returns one step of a peer's training, on the next batch; gives the loss."""
    step = trainer(shape.vocab_size, shape.features, LAYERS, shape.batch, LEARNING_RATE)
    numbers = itertools.count()
    return lambda: float(step(batches[next(numbers)]))


def stream(shape: Shape) -> TrainStream:
    """Returns random tokens, enough for 50 batches that differ."""
    length = 50 * shape.tokens + 1
    tokens = np.random.default_rng(0).integers(shape.vocab_size, size=length)
    return TrainStream(
        tokens.astype(np.int32), shape.batch, shape.steps, shape.vocab_size
    )
