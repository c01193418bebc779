"""Tokens a second that are drawn from a language model: rnnlab's loop and torch's."""

import collections
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

import experiments
from launch.measuring.outcome import Outcome, beside_rnnlab
from launch.measuring.turns import Run, Yardsticks
from launch.peers import load
from rnnlab.data.tokenizers import Word
from rnnlab.nn.generation import Sampling, sample
from rnnlab.training.step import init

STEPS = 64  # of a call
SECONDS = 0.4  # what each side gets of a turn
FOREVER = 2**30  # steps


class Shape(NamedTuple):
    """A language model, and the texts that are drawn side by side."""

    batch: int
    layers: int
    features: int
    vocab_size: int

    def __str__(self) -> str:
        return "{}, {}, {}, {:,}".format(*self)

    @property
    def weights(self) -> int:
        """The bytes of all matrices that a step reads: layers, output layer."""
        layer = (self.features + self.features) * 4 * self.features
        return 4 * (self.layers * layer + self.features * self.vocab_size)


SHAPES = tuple(
    Shape(batch, *model)
    for model in ((2, 650, 10_000), (1, 256, 97))
    for batch in (1, 64)
)


def measure(repeats: int, shapes: Sequence[Shape] = SHAPES) -> Outcome:
    """Returns tokens a second from `repeats` turns of each side.

    Raises:
        InputError: torch is not installed.
    """
    torch = load("generation", "torch")["torch"]
    yardsticks = Yardsticks(torch.product())
    rows, measurements = [], []
    for shape in shapes:
        draw = torch.sampler(
            shape.vocab_size, shape.features, shape.layers, shape.batch
        )
        runs = {"rnnlab": ours(shape), "torch": functools.partial(draw, STEPS)}
        taken, _ = yardsticks.in_turns(runs, repeats, SECONDS)
        measurements += beside_rnnlab({"model": str(shape)}, taken)
        for name, seconds in taken.items():
            rates = shape.batch * STEPS / seconds
            low, middle, high = np.quantile(rates, (0.25, 0.5, 0.75))
            ratio = np.median(seconds / taken["rnnlab"])
            read = shape.weights * STEPS / np.median(seconds) / 1e9
            rows.append(
                f"| {shape} | {name} | {middle:,.0f} | {low:,.0f} to {high:,.0f}"
                f" | {ratio:.2f} | {read:.1f} |"
            )
    lines = [
        f"Tokens a second that are drawn from a language model: embedding (H), L LSTM"
        f" layers, output layer, temperature 1, every token allowed; float32. torch's"
        f" loop is nn.LSTM, nn.Linear, softmax and multinomial under inference_mode."
        f" Medians and quartiles of {repeats} turns.",
        "",
        f"The last column is what of the matrices each step reads once, a second: for a"
        f" single row that, and not the arithmetic, is the limit where they do not fit"
        f" the cache. {yardsticks.describe()}",
        "",
        "| B, L, H, V | code | tokens/s | quartiles | rnnlab is faster by | GB/s |",
        "|---|---|--:|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def sides() -> Mapping[str, Callable[[], Run]]:
    """Returns what makes rnnlab's drawing ready, by shape."""
    return {str(shape): functools.partial(ours, shape) for shape in SHAPES}


def ours(shape: Shape) -> Run:
    """Returns rnnlab's drawing of `STEPS` tokens a row, as `launch.sample` does it."""
    name = "language_modeling"
    config = experiments.config(name)(features=shape.features, layers=shape.layers)
    words = Word(tuple(map(str, range(shape.vocab_size))))
    task = experiments.load(name).rebuild(config, {"tokenizer": words.to_json()})
    params = init(task, config.training).params
    prompts = np.zeros((shape.batch, 1), np.int32)
    steps = sample(task.model, params, prompts, FOREVER, jax.random.key(0), Sampling())

    def run():
        # A deque of no length takes them and keeps none.
        collections.deque(itertools.islice(steps, STEPS), maxlen=0)

    return run
