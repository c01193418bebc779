"""The whole training step of a language model: rnnlab's, flax's, torch's."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from experiments.language_modeling.task import LanguageTask
from launch.measuring.outcome import Outcome, beside_rnnlab, measurement
from launch.measuring.turns import Run, Yardsticks
from launch.peers import load
from rnnlab.cells import LSTM
from rnnlab.data.streams import TrainStream
from rnnlab.engines import auto
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.training import step as training
from rnnlab.training.settings import Training

LAYERS = 2
LEARNING_RATE = 1.0
SETTINGS = Training(optimizer="sgd", learning_rate=LEARNING_RATE, clip_norm=5.0)
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
    Shape(batch=20, steps=35, features=650, vocab_size=33_000),
    Shape(batch=50, steps=50, features=128, vocab_size=65),
)


def measure(repeats: int, shapes: Sequence[Shape] = SHAPES) -> Outcome:
    """Returns tokens a second from `repeats` turns of each side.

    Raises:
        InputError: torch is not installed.
    """
    libraries = load("lm", "flax", "torch")
    trainers = {"rnnlab": ours} | {
        name: functools.partial(peer, library.trainer)
        for name, library in libraries.items()
    }
    yardsticks = Yardsticks(libraries["torch"].product())
    rows, measurements = [], []
    for shape in shapes:
        batches = stream(shape)
        runs = {name: make(shape, batches) for name, make in trainers.items()}
        taken, operation = yardsticks.in_turns(runs, repeats, SECONDS)
        measurements += beside_rnnlab({"model": str(shape)}, taken)
        held = {
            "rnnlab": temporaries(shape),
            "flax": libraries["flax"].temporaries(
                shape.vocab_size, shape.features, LAYERS, shape.batch, shape.steps
            ),
        }
        for code, size in held.items():
            what = {"model": str(shape), "code": code}
            measurements.append(measurement(what, "B", size))
        for name in trainers:
            low, middle, high = np.quantile(
                shape.tokens / taken[name], (0.25, 0.5, 0.75)
            )
            ratio = np.median(taken[name] / taken["rnnlab"])
            share = np.median(shape.operations * operation / taken[name])
            rows.append(
                f"| {shape} | {name} | {middle:,.0f} | {low:,.0f} to {high:,.0f}"
                f" | {ratio:.2f} | {share:.0%}"
                f" | {f'{held[name] / 1e6:.0f}' if name in held else '-'} |"
            )
    lines = [
        f"Tokens a second of the whole training step of a language model: embedding"
        f" (H), {LAYERS} LSTM layers, output layer, mean cross-entropy, gradient,"
        f" clipping by global norm, SGD; float32, carries handed on, a new batch"
        f" each step. Medians and quartiles of {repeats} turns.",
        "",
        f"The limit is all matrix products of forward and backward at the rate of a"
        f" product of 2048 x 2048. {yardsticks.describe()} Megabytes are those of the"
        f" compiled step beside its state and batch, by XLA's account.",
        "",
        "| B, T, H, V | code | tokens/s | quartiles | rnnlab is faster by"
        " | share of the limit | MB |",
        "|---|---|--:|--:|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def sides() -> Mapping[str, Callable[[], Run]]:
    """Returns what makes a training step of rnnlab's ready, by shape."""
    return {str(shape): functools.partial(ready, shape) for shape in SHAPES}


def ready(shape: Shape) -> Run:
    """Returns rnnlab's training step on batches of its own."""
    return ours(shape, stream(shape))


def language_task(shape: Shape, batches: TrainStream) -> LanguageTask:
    """Returns the language model of a shape on these batches."""
    cells = (LSTM(shape.features),) * LAYERS
    model = LanguageModel(
        shape.features, Stack(cells, auto(cells[0])), Softmax(shape.vocab_size)
    )
    return LanguageTask(model, {"train": batches}, {"train": shape.batch})


def ours(shape: Shape, batches: TrainStream) -> Callable[[], float]:
    """Returns one step of rnnlab's own training, on the next batch; gives the loss."""
    return steps(language_task(shape, batches))


def steps(task: LanguageTask) -> Run:
    """Returns one step of training a task, on its next batch; gives the loss."""
    step = training.train_step(task, SETTINGS, steps=10**6)
    state = training.init(task, SETTINGS)
    upcoming = task.batches("train")

    def run():
        nonlocal state
        state, metrics = step(state, next(upcoming))
        return float(metrics.loss)

    return run


def temporaries(shape: Shape) -> int:
    """Returns the bytes of rnnlab's step beside its state, by XLA's account."""
    return temporaries_of(language_task(shape, stream(shape)))


def temporaries_of(task: LanguageTask) -> int:
    """Returns the bytes of a task's step beside its state, by XLA's account."""
    step = training.train_step(task, SETTINGS, steps=10**6)
    state = jax.eval_shape(lambda: training.init(task, SETTINGS))
    compiled = step.lower(state, next(task.batches("train"))).compile()
    return compiled.memory_analysis().temp_size_in_bytes


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
