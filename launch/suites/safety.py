"""What it costs that a run cannot be lost: checks in the step, of the input, saves."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from experiments.language_modeling.task import LanguageTask
from launch.measuring.outcome import Measurement, Outcome, measurement
from launch.measuring.turns import in_turns
from launch.suites.lm import LAYERS, Shape, language_task, stream
from launch.suites.probes import SHAPES
from rnnlab.training import step as training
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.optimizers import chain
from rnnlab.training.settings import Training
from rnnlab.training.task import Batch

SECONDS = 0.4  # what each side gets of a turn
EVERY = 100  # steps between two saves


def measure(repeats: int, shapes: Sequence[Shape] = SHAPES) -> Outcome:
    """Returns shares of a step's time."""
    rows, measurements = [], []
    for shape in shapes:
        row, more = compare(shape, repeats)
        rows.append(row)
        measurements += more
    lines = [
        f"A language model of {LAYERS} LSTM layers, Adam. Checks: a step that looks"
        f" whether loss, gradient norm, rate, carries and parameters are finite and"
        f" else leaves all as it was, beside one that does not. Input: a batch read,"
        f" its ids compared with the vocabulary. Save: what the steps meanwhile, and"
        f" the wait for its end, took longer than without it, at one in {EVERY} steps."
        f" Medians of {repeats} turns, quartiles in brackets.",
        "",
        "| B, T, H, V | step, ms | checks | input | state, MB | a save, ms | saves |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def compare(shape: Shape, repeats: int) -> tuple[str, list[Measurement]]:
    """Returns the row of a model, and its shares as data."""
    task = language_task(shape, stream(shape))
    settings = Training(optimizer="adam", learning_rate=1e-3)
    updates = {
        "step": training.train_step(task, settings, steps=10**6),
        "unchecked": unchecked_step(task, settings, steps=10**6),
    }
    states = {name: training.init(task, settings) for name in updates}
    batch = next(task.batches("train"))
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(states["step"].params)) * 3

    def step(name: str) -> None:
        states[name], metrics = updates[name](states[name], batch)
        jax.block_until_ready(metrics.loss)

    upcoming = task.batches("train")
    sides = {
        "step": lambda: step("step"),
        "unchecked": lambda: step("unchecked"),
        "input": lambda: next(upcoming),
    }
    taken = in_turns(sides, repeats, SECONDS)
    one = float(np.median(taken["step"]))
    # As many steps as a save goes on beside.
    count = max(1, round(min(EVERY * one, 1 + size / 2e7) / one))
    saved = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        Checkpoints(Path(folder), 2) as checkpoints,
    ):

        def steps() -> None:
            for _ in range(count):
                step("step")

        def steps_and_save() -> None:
            nonlocal saved
            saved += 1
            checkpoints.save(saved, states["step"], {})
            steps()
            checkpoints.wait()

        both = in_turns({"without": steps, "with": steps_and_save}, repeats, SECONDS)
    save = both["with"] - both["without"]
    shares = {
        "checks": taken["step"] / taken["unchecked"] - 1,
        "input": taken["input"] / taken["step"],
        "saves": save / (EVERY * one),
    }
    row = (
        f"| {shape} | {one * 1e3:.1f} | {share(shares['checks'])}"
        f" | {share(shares['input'])} | {size / 1e6:.0f}"
        f" | {np.median(save) * 1e3:.0f} | {share(shares['saves'])} |"
    )
    return row, [
        measurement({"model": str(shape), "what": name}, "of a step", values)
        for name, values in shares.items()
    ]


def unchecked_step(task: LanguageTask, settings: Training, steps: int) -> training.Step:
    """Returns a step like `train_step`'s that goes on whatever its numbers are."""
    look, optimizer = training.looker(task, settings, steps), chain(settings)

    def update(
        state: training.State, batch: Batch
    ) -> tuple[training.State, training.Metrics]:
        seen = look(state, batch)
        updates, kept = optimizer.update(seen.grads, state.optimizer, state.params)
        after = state._replace(
            step=state.step + 1,
            params=jax.tree.map(lambda p, u: p + seen.rate * u, state.params, updates),
            optimizer=kept,
            memory=seen.memory,
        )
        metrics = training.Metrics(seen.loss, seen.norm, seen.rate, state.skipped)
        return after, metrics

    return jax.jit(update, donate_argnums=0)


def share(values: np.ndarray) -> str:
    """Returns median and quartiles in per cent."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)) * 100
    return f"{middle:.2f} % ({low:.2f} to {high:.2f})"
