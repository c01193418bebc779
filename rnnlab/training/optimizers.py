"""Optimizers from optax, at rate one: the training step multiplies by the rate.

The rate stays outside so that a schedule, a plateau and the log read one number.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import jax.numpy as jnp
import optax


class Knobs(Protocol):
    """The settings that optimizers read; see `rnnlab.training.Training`."""

    optimizer: str
    momentum: float
    smoothing: float
    weight_decay: float
    clip_norm: float | None
    clip_value: float | None
    clip_adaptive: float | None
    l1: float
    l2: float


def sgd(knobs: Knobs) -> optax.GradientTransformation:
    """Returns stochastic gradient descent, with momentum where it is not zero."""
    return optax.sgd(1.0, momentum=knobs.momentum or None)


def adam(knobs: Knobs) -> optax.GradientTransformation:
    """Returns Adam with optax's constants (0.9, 0.999)."""
    del knobs
    return optax.adam(1.0)


def adamw(knobs: Knobs) -> optax.GradientTransformation:
    """Returns Adam with decoupled weight decay."""
    return optax.adamw(1.0, weight_decay=knobs.weight_decay)


def rmsprop(knobs: Knobs) -> optax.GradientTransformation:
    """Returns RMSProp, whose mean square forgets at the rate `smoothing`."""
    return optax.rmsprop(1.0, decay=knobs.smoothing)


def adagrad(knobs: Knobs) -> optax.GradientTransformation:
    """Returns Adagrad with optax's constants."""
    del knobs
    return optax.adagrad(1.0)


def lion(knobs: Knobs) -> optax.GradientTransformation:
    """Returns Lion with decoupled weight decay."""
    return optax.lion(1.0, weight_decay=knobs.weight_decay)


OPTIMIZERS: Mapping[str, Callable[[Knobs], optax.GradientTransformation]] = {
    "adagrad": adagrad,
    "adam": adam,
    "adamw": adamw,
    "lion": lion,
    "rmsprop": rmsprop,
    "sgd": sgd,
}


def chain(knobs: Knobs) -> optax.GradientTransformation:
    """Returns penalties, clipping and optimizer, one after the other.

    Penalties come first: their gradient is clipped with that of the loss, as if they
    were part of it.
    """
    parts = []
    if knobs.l1:
        parts.append(
            optax.stateless_with_tree_map(lambda g, p: g + knobs.l1 * jnp.sign(p))
        )
    if knobs.l2:
        parts.append(optax.add_decayed_weights(knobs.l2))
    if knobs.clip_value is not None:
        parts.append(optax.clip(knobs.clip_value))
    if knobs.clip_norm is not None:
        parts.append(optax.clip_by_global_norm(knobs.clip_norm))
    if knobs.clip_adaptive is not None:
        parts.append(optax.adaptive_grad_clip(knobs.clip_adaptive))
    return optax.chain(*parts, OPTIMIZERS[knobs.optimizer](knobs))
