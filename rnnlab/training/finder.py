"""A learning rate from one short run, in which it rises until the loss is worse.

References:
    Smith, Cyclical learning rates for training neural networks, 2017,
    https://arxiv.org/abs/1506.01186
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import numpy as np

from rnnlab.errors import InputError
from rnnlab.training.averaging import Averaging
from rnnlab.training.layers import LayerRates
from rnnlab.training.quiet import Quiet
from rnnlab.training.settings import Training
from rnnlab.training.start import started
from rnnlab.training.step import init, update
from rnnlab.training.task import Task

WORSE = 1.1  # times the first loss: then it has diverged
WINDOW = 20  # the smoothed loss is a mean over this part of the steps


class Tried(NamedTuple):
    """A run whose learning rate rose.

    Attributes:
        rates: of each step, [N].
        losses: before each step's update, in nats, [N].
        diverged: whether the last of them is far above the first, or not finite.
    """

    rates: np.ndarray
    losses: np.ndarray
    diverged: bool


class Verdict(NamedTuple):
    """What such a run suggests.

    Attributes:
        steepest: the rate at which the smoothed loss fell fastest, None if it never
            did.
        cautious: a tenth of that from which on the loss rose until it diverged, None
            if it did not.
    """

    steepest: float | None
    cautious: float | None


def rising(task: Task, settings: Training, rates: np.ndarray) -> Tried:
    """Returns a run from the start with these rates, up to where it diverges.

    Schedule, averages and unfreezing are left out of it.

    Raises:
        InputError: there are too few rates to smooth over.
    """
    if len(rates) < WINDOW:
        raise InputError(
            f"{WINDOW} rates or more are wanted, got {len(rates)}; try more."
        )
    plain = dataclasses.replace(
        settings,
        schedule="constant",
        warmup=0,
        learning_rate=1.0,
        averaging=Averaging(),
        layer_rates=LayerRates(settings.layer_rates.layer_decay),
    )
    state = started(task, init(task, plain), Quiet())
    change = jax.jit(update(task, plain, len(rates)), donate_argnums=0)
    losses: list[float] = []
    recent = first = math.nan
    for rate, batch in zip(rates, task.batches("train"), strict=False):
        state, metrics = change(state, batch, np.float32(rate))
        loss = float(metrics.loss)
        losses.append(loss)
        if len(losses) <= WINDOW // 2:
            first = recent = float(np.mean(losses))
        recent += (loss - recent) * WINDOW / 2 / len(rates)
        if not (math.isfinite(loss) and recent <= WORSE * first) or metrics.skipped:
            return Tried(rates[: len(losses)], np.array(losses), True)
    return Tried(rates[: len(losses)], np.array(losses), False)


def smoothed(tried: Tried, steps: int) -> np.ndarray:
    """Returns the mean loss around each step, over a part of the `steps` planned."""
    half = max(1, steps // WINDOW // 2)
    weights = np.bartlett(2 * half + 3)[1:-1]
    losses = np.where(np.isfinite(tried.losses), tried.losses, np.nan)
    there = np.isfinite(losses)
    total = np.convolve(np.where(there, losses, 0), weights, "full")
    count = np.convolve(there, weights, "full")
    return (total / np.maximum(count, 1e-9))[half : half + len(losses)]


def verdict(tried: Tried, steps: int) -> Verdict:
    """Returns the rates that a run suggests; it was planned for so many steps."""
    curve = smoothed(tried, steps)
    lowest = float(tried.rates[curve.argmin()])
    cautious = lowest / 10 if tried.diverged else None
    falling = curve[: int(curve.argmin()) + 1]  # what is behind the lowest is noise
    if len(falling) < 3:
        return Verdict(None, cautious)
    slope = np.gradient(falling, np.log(tried.rates[: len(falling)]))
    place = int(slope.argmin())
    return Verdict(float(tried.rates[place]) if slope[place] < 0 else None, cautious)
