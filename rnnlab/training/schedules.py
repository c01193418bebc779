"""Learning rates over the run: each a function of the step, from optax where it is."""

from collections.abc import Callable, Mapping
from typing import Protocol

import jax
import jax.numpy as jnp
import optax

Schedule = Callable[[jax.Array], jax.Array]


class Knobs(Protocol):
    """The settings that schedules read; see `rnnlab.training.Training`."""

    learning_rate: float
    decay: float
    decay_after: int
    warmup: int
    cycle: int


def constant(knobs: Knobs, steps: int, steps_per_epoch: int) -> Schedule:
    """Returns the learning rate as it is, after a linear warm-up."""
    del steps, steps_per_epoch
    if knobs.warmup == 0:
        return optax.constant_schedule(knobs.learning_rate)
    return optax.warmup_constant_schedule(0.0, knobs.learning_rate, knobs.warmup)


def exponential(knobs: Knobs, steps: int, steps_per_epoch: int) -> Schedule:
    """Falls smoothly by the factor `decay` an epoch, after `decay_after` epochs."""
    del steps
    return optax.exponential_decay(
        knobs.learning_rate,
        steps_per_epoch,
        knobs.decay,
        transition_begin=knobs.decay_after * steps_per_epoch,
    )


def step(knobs: Knobs, steps: int, steps_per_epoch: int) -> Schedule:
    """Falls by the factor `decay` at the start of each epoch after `decay_after`.

    Zaremba et al. (https://arxiv.org/abs/1409.2329) train four epochs at rate 1 and
    halve it at the start of the fifth and of each one after.
    """
    del steps
    return optax.exponential_decay(
        knobs.learning_rate,
        steps_per_epoch,
        knobs.decay,
        transition_begin=(knobs.decay_after - 1) * steps_per_epoch,
        staircase=True,
    )


def cosine(knobs: Knobs, steps: int, steps_per_epoch: int) -> Schedule:
    """Rises over `warmup` steps, then falls to zero along a half cosine."""
    del steps_per_epoch
    return optax.warmup_cosine_decay_schedule(
        0.0, knobs.learning_rate, knobs.warmup, max(steps, knobs.warmup + 1)
    )


def cyclical(knobs: Knobs, steps: int, steps_per_epoch: int) -> Schedule:
    """Swings between a tenth of the rate and the rate, `cycle` steps a swing.

    References:
        Smith, Cyclical learning rates for training neural networks, 2017,
        https://arxiv.org/abs/1506.01186
    """
    del steps, steps_per_epoch

    def triangle(count):
        phase = (count % knobs.cycle) / knobs.cycle
        return knobs.learning_rate * (1 - 0.9 * jnp.abs(1 - 2 * phase))

    return triangle


SCHEDULES: Mapping[str, Callable[[Knobs, int, int], Schedule]] = {
    "constant": constant,
    "cosine": cosine,
    "cyclical": cyclical,
    "exponential": exponential,
    "plateau": constant,  # times the factor in the state, which validations lower
    "step": step,
}
