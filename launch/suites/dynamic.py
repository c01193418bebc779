"""What it costs that a language model's parameters follow the text it reads."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.language_modeling import reading
from experiments.language_modeling.ways import RATES
from launch.measuring.outcome import Measurement, Outcome, beside
from launch.measuring.turns import Run, in_turns
from rnnlab.cells import LSTM
from rnnlab.engines import auto
from rnnlab.nn import LanguageModel, Softmax, Stack, dynamic
from rnnlab.nn.dynamic import Rule, Window

SECONDS = 0.5  # what each side gets of a turn
DECAY = 0.001
LENGTHS = (5, 20)  # tokens of a row between two steps
STEPS = 320  # tokens of a row


class Shape(NamedTuple):
    """A language model, and the rows of text side by side that it reads."""

    rows: int
    layers: int
    features: int
    vocab_size: int

    def __str__(self) -> str:
        return ", ".join(f"{number:,}" for number in self)


SHAPES = (
    Shape(rows=20, layers=1, features=512, vocab_size=65),
    Shape(rows=1, layers=1, features=512, vocab_size=65),
    Shape(rows=20, layers=2, features=650, vocab_size=10_000),
    Shape(rows=1, layers=2, features=650, vocab_size=10_000),
)


def measure(repeats: int, shapes: tuple[Shape, ...] = SHAPES) -> Outcome:
    """Returns times of each way to read as multiples of the plain one, in turns."""
    rows: list[str] = []
    measurements: list[Measurement] = []
    for shape in shapes:
        taken = in_turns(ways(shape), repeats, SECONDS)
        tokens = STEPS * shape.rows
        for one, times in beside("plain", {"model": str(shape)}, "reading", taken):
            measurements += [one, times]
            rows.append(
                f"| {shape} | {one.what['reading']} | {tokens / one.median:,.0f}"
                f" | {times.median:.2f} | {times.low:.2f} to {times.high:.2f} |"
            )
    lines = [
        f"Tokens a second that language models of LSTM layers read in evaluation, and"
        f" the time as a multiple of that of plain reading: with a step of all"
        f" parameters after every {' or '.join(map(str, LENGTHS))} tokens of each row,"
        f" by gradients as they are (sgd) or over their usual size (rms). Rows share"
        f" the parameters. Medians and quartiles of {repeats} turns.",
        "",
        "| rows, layers, H, V | reading | tokens/s | times plain | quartiles |",
        "|---|---|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def ways(shape: Shape) -> Mapping[str, Run]:
    """Returns functions that read a text of random tokens, plainly and following."""
    rng = np.random.default_rng(0)
    text = rng.integers(shape.vocab_size, size=(STEPS + 1, shape.rows), dtype=np.int32)
    cells = (LSTM(shape.features),) * shape.layers
    stack = Stack(cells, auto(cells[0]))
    model = LanguageModel(shape.features, stack, Softmax(shape.vocab_size))
    window = Window(text[:-1], text[1:], np.ones(text[1:].shape, bool))
    params = model.init(jax.random.key(0), None, window.inputs[:1])["params"]
    size = jax.tree.map(lambda p: jnp.full_like(p, 1e-2), params)
    rules = {
        "sgd": dynamic.plain(params, RATES["sgd"], DECAY),
        "rms": dynamic.scaled(params, size, RATES["rms"], DECAY),
    }
    found: dict[str, Run] = {"plain": functools.partial(plain, model, params, window)}
    for name, rule in rules.items():
        for length in LENGTHS:
            run = functools.partial(following, model, rule, window, length)
            found[f"{name}, every {length}"] = run
    return found


def plain(model: LanguageModel, params: object, text: Window) -> None:
    """Reads a text with the parameters at rest."""
    jax.block_until_ready(list(reading.plainly(model, params, text)))


def following(model: LanguageModel, rule: Rule, text: Window, length: int) -> None:
    """Reads a text with the parameters following it."""
    jax.block_until_ready(list(reading.following(model, rule, text, length, STEPS)))
