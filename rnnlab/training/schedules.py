"""Learning rates over the run: each a function of the step, from optax where it is."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import jax.numpy as jnp
import optax

if TYPE_CHECKING:  # settings names the choices below
    from rnnlab.training.settings import Training


def constant(settings: "Training", steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Returns the learning rate as it is, after a linear warm-up."""
    del steps, steps_per_epoch
    if settings.warmup == 0:
        return optax.constant_schedule(settings.learning_rate)
    return optax.warmup_constant_schedule(0.0, settings.learning_rate, settings.warmup)


def exponential(
    settings: "Training", steps: int, steps_per_epoch: int
) -> optax.Schedule:
    """Falls smoothly by the factor `decay` an epoch, after `decay_after` epochs."""
    del steps
    return optax.exponential_decay(
        settings.learning_rate,
        steps_per_epoch,
        settings.decay,
        transition_begin=settings.decay_after * steps_per_epoch,
    )


def step(settings: "Training", steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Falls by the factor `decay` at the start of each epoch after `decay_after`.

    Zaremba et al. (https://arxiv.org/abs/1409.2329) train four epochs at rate 1 and
    halve it at the start of the fifth and of each one after.
    """
    del steps

    def staircase(count):
        # In whole numbers: compiled, optax's floor(k * n / n) can fall below k.
        falls = jnp.maximum(count // steps_per_epoch - (settings.decay_after - 1), 0)
        return settings.learning_rate * settings.decay**falls

    return staircase


def cosine(settings: "Training", steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Rises over `warmup` steps, then falls to zero along a half cosine."""
    del steps_per_epoch
    if settings.warmup == 0:
        return optax.cosine_decay_schedule(settings.learning_rate, steps)
    return optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, settings.warmup, max(steps, settings.warmup + 1)
    )


def slanted(settings: "Training", steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Rises from a 32nd over a tenth of the run, then falls back to it along a line.

    References:
        Howard, Ruder, Universal language model fine-tuning for text classification,
        2018, https://arxiv.org/abs/1801.06146
    """
    del steps_per_epoch
    peak, highest = max(1, steps // 10), settings.learning_rate
    rise = optax.linear_schedule(highest / 32, highest, peak)
    fall = optax.linear_schedule(highest, highest / 32, max(1, steps - peak))
    return optax.join_schedules([rise, fall], [peak])


def cyclical(settings: "Training", steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Swings between a tenth of the rate and the rate, `cycle` steps a swing.

    References:
        Smith, Cyclical learning rates for training neural networks, 2017,
        https://arxiv.org/abs/1506.01186
    """
    del steps, steps_per_epoch

    def triangle(count):
        phase = (count % settings.cycle) / settings.cycle
        return settings.learning_rate * (1 - 0.9 * jnp.abs(1 - 2 * phase))

    return triangle


SCHEDULES: Mapping[str, Callable[["Training", int, int], optax.Schedule]] = {
    "constant": constant,
    "cosine": cosine,
    "cyclical": cyclical,
    "exponential": exponential,
    "plateau": constant,  # times the factor in the state, which validations lower
    "slanted": slanted,
    "step": step,
}
