"""What each output layer makes of the training step, and a dense embedding gradient."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from experiments.language_modeling.task import LanguageTask
from launch.measuring.outcome import Measurement, Outcome, beside, measurement
from launch.measuring.turns import Run, in_turns
from launch.suites.lm import LAYERS, LEARNING_RATE, Shape, steps, temporaries_of
from rnnlab.cells import LSTM
from rnnlab.data.streams import TrainStream
from rnnlab.engines import auto
from rnnlab.nn import Adaptive, LanguageModel, Mixture, Sampled, Softmax, Stack
from rnnlab.nn.parts import Output

SHAPES = (  # of WikiText-2's vocabulary and of WikiText-103's
    Shape(batch=20, steps=35, features=400, vocab_size=33_278),
    Shape(batch=20, steps=35, features=400, vocab_size=267_735),
)
SECONDS = 0.4  # what each side gets of a turn
OUTPUTS: Mapping[str, Callable[[int], Output]] = {
    "softmax": Softmax,
    "softmax, tied": lambda size: Softmax(size, tied=True),
    "adaptive": lambda size: Adaptive(size, (size // 16, size // 4)),
    "sampled, 4,096 words": lambda size: Sampled(size, samples=min(4096, size)),
    "sampled, tied": lambda size: Sampled(size, tied=True, samples=min(4096, size)),
    "mixture of 5": lambda size: Mixture(size, experts=5),
}
FEWER = 100_000  # words above which a mixture would take minutes
DENSE = "the embedding's gradient and update alone"


def measure(repeats: int, shapes: Sequence[Shape] = SHAPES) -> Outcome:
    """Returns times of the step as multiples of that with a softmax, and its memory."""
    rows: list[str] = []
    measurements: list[Measurement] = []
    for shape in shapes:
        names = [n for n in OUTPUTS if shape.vocab_size < FEWER or "mixture" not in n]
        tasks = {name: task(shape, OUTPUTS[name]) for name in names}
        held = {name: temporaries_of(one) for name, one in tasks.items()}
        runs = {name: steps(one) for name, one in tasks.items()} | {DENSE: dense(shape)}
        taken = in_turns(runs, repeats, SECONDS)
        for one, times in beside("softmax", {"model": str(shape)}, "output", taken):
            measurements += [one, times]
            name = one.what["output"]
            size = f"{held[name] / 1e6:,.0f}" if name in held else "-"
            if name in held:
                measurements.append(measurement(one.what, "B", held[name]))
            rows.append(
                f"| {shape} | {name} | {1e3 * one.median:,.0f} | {times.median:.2f}"
                f" | {times.low:.2f} to {times.high:.2f} | {size} |"
            )
    lines = [
        f"Milliseconds of the training step of a language model of {LAYERS} LSTM"
        f" layers, as in the suite `lm`, by its output layer, as multiples of the step"
        f" with a softmax, and the step's megabytes beside its state, by XLA's account;"
        f" words by Zipf's law. The last row is what an embedding costs beyond the rows"
        f" that a batch reads: a dense gradient, its norm and SGD. Medians and"
        f" quartiles of {repeats} turns.",
        "",
        "| B, T, H, V | output | ms | times softmax | quartiles | MB |",
        "|---|---|--:|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def task(shape: Shape, output: Callable[[int], Output]) -> LanguageTask:
    """Returns the language model of a shape with an output layer."""
    cells = (LSTM(shape.features),) * LAYERS
    layers = Stack(cells, auto(cells[0]))
    model = LanguageModel(shape.features, layers, output(shape.vocab_size))
    return LanguageTask(model, {"train": zipf(shape)}, {"train": shape.batch})


def zipf(shape: Shape) -> TrainStream:
    """Returns batches of words that are as frequent as the inverse of their rank."""
    draws = np.random.default_rng(0).random(100 * shape.tokens)
    tokens = shape.vocab_size**draws - 1  # of P(rank < r) = log(r) / log(V)
    size = shape.vocab_size
    return TrainStream(tokens.astype(np.int32), shape.batch, shape.steps, size)


def dense(shape: Shape) -> Run:
    """Returns an update of an embedding by a gradient that is mostly zeros."""

    def update(table, ids, rows):
        gradient = jnp.zeros_like(table).at[ids].add(rows)
        scale = jnp.minimum(1, 5 / jnp.sqrt(jnp.sum(gradient**2)))
        return table - LEARNING_RATE * scale * gradient

    step = jax.jit(update, donate_argnums=0)
    table = jnp.zeros((shape.vocab_size, shape.features))
    ids = zipf(shape)[0].inputs.ravel()
    rows = jnp.ones((shape.tokens, shape.features))

    def run():
        nonlocal table
        table = step(table, ids, rows)
        return float(table[0, 0])

    return run
