"""What a look inside of a training run costs: a probe beside the step it looks at."""

from collections.abc import Sequence

import jax
import numpy as np

from launch.measuring.outcome import Measurement, Outcome, measurement
from launch.measuring.turns import in_turns
from launch.suites.lm import LAYERS, Shape, language_task, stream
from rnnlab.training import step as training
from rnnlab.training.probing import keep, prober
from rnnlab.training.settings import Training

SECONDS = 0.4  # what each side gets of a turn
EVERY = 100  # steps between two probes, as the README suggests
SHAPES = (
    Shape(batch=32, steps=64, features=256, vocab_size=97),
    Shape(batch=20, steps=35, features=650, vocab_size=10_000),
)


def measure(repeats: int, shapes: Sequence[Shape] = SHAPES) -> Outcome:
    """Returns a probe's time in steps, and its share at one in a hundred steps."""
    rows, measurements = zip(
        *[compare(shape, repeats) for shape in shapes], strict=True
    )
    lines = [
        f"A language model of {LAYERS} LSTM layers: the time of a probe"
        f" (`--probe_every`: gradients by lag, gates, forget times and norms of each"
        f" layer, update ratios, gradient noise) beside that of a training step, and"
        f" its share of the time at one in {EVERY} steps. Medians of {repeats} turns;"
        f" compiling, once a run, is not counted.",
        "",
        "| B, T, H, V | step, ms | probe, ms | of a step | share of the time |",
        "|---|--:|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), measurements)


def compare(shape: Shape, repeats: int) -> tuple[str, Measurement]:
    """Returns the row of a model, and a probe in steps."""
    task = language_task(shape, stream(shape))
    settings = Training(optimizer="sgd", learning_rate=0.1)
    update, probe = training.train_step(task, settings, steps=10**6), prober(task)
    state = training.init(task, settings)
    upcoming = task.batches("train")

    def step():
        nonlocal state
        state, metrics = update(state, next(upcoming))
        return float(metrics.loss)

    def look():
        batch = next(upcoming)
        return jax.block_until_ready(probe(keep(state), state.params, batch))

    taken = in_turns({"step": step, "probe": look}, repeats, SECONDS)
    ratios = taken["probe"] / taken["step"]
    ratio = float(np.median(ratios))
    seconds = {name: float(np.median(each)) * 1e3 for name, each in taken.items()}
    row = (
        f"| {shape} | {seconds['step']:.1f} | {seconds['probe']:.1f} | {ratio:.2f}"
        f" | {ratio / (EVERY + ratio):.1%} |"
    )
    return row, measurement({"model": str(shape)}, "of a step", ratios)
