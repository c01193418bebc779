"""Optimizers from optax, at rate one: the training step multiplies by the rate.

The rate stays outside so that a schedule, a plateau and the log read one number.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax

_ROWS = ("embedding", "decoder", "tails")  # [V, H]: a unit is a row, not a column
_NOISE = 0x6E6F6973

if TYPE_CHECKING:  # settings names the choices below
    from rnnlab.training.layers import ByLayer
    from rnnlab.training.settings import Training


def sgd(settings: "Training") -> optax.GradientTransformation:
    """Returns stochastic gradient descent, with momentum where it is not zero."""
    return optax.sgd(1.0, momentum=settings.momentum or None)


def adam(settings: "Training") -> optax.GradientTransformation:
    """Returns Adam with optax's constants (0.9, 0.999)."""
    del settings
    return optax.adam(1.0)


def adamw(settings: "Training") -> optax.GradientTransformation:
    """Returns Adam with decoupled weight decay."""
    return optax.adamw(1.0, weight_decay=settings.weight_decay)


def rmsprop(settings: "Training") -> optax.GradientTransformation:
    """Returns RMSProp, whose mean square forgets at the rate `smoothing`.

    As torch has it, 1e-8 is added to the root: under it, it would be as large as
    derivatives are in a large model. As in Adam, the mean is that of what was seen.
    """
    return optax.rmsprop(
        1.0, decay=settings.smoothing, eps_in_sqrt=False, bias_correction=True
    )


def adagrad(settings: "Training") -> optax.GradientTransformation:
    """Returns Adagrad with optax's constants."""
    del settings
    return optax.adagrad(1.0)


def lion(settings: "Training") -> optax.GradientTransformation:
    """Returns Lion with decoupled weight decay."""
    return optax.lion(1.0, weight_decay=settings.weight_decay)


OPTIMIZERS: Mapping[str, Callable[["Training"], optax.GradientTransformation]] = {
    "adagrad": adagrad,
    "adam": adam,
    "adamw": adamw,
    "lion": lion,
    "rmsprop": rmsprop,
    "sgd": sgd,
}


def chain(
    settings: "Training", layers: "ByLayer | None" = None
) -> optax.GradientTransformationExtraArgs:
    """Returns penalties, clipping and optimizer, one after the other.

    Of several batches' gradients, where they are one update's, the mean is taken first.
    Penalties come next: their gradient is clipped with that of the loss, as if they
    were part of it.

    Args:
        settings: which of them, and their numbers.
        layers: those whose training begins later; `update` is then told the step of
            the run, `at=`.
    """
    parts = []
    if settings.l1:
        parts.append(_add_l1(settings.l1))
    if settings.l2:
        parts.append(optax.add_decayed_weights(settings.l2))
    if settings.clip_value is not None:
        parts.append(optax.clip(settings.clip_value))
    norm = settings.clip_norm
    # In its place even if it is none: `clip_norm` may be changed in a resumed run.
    parts.append(optax.identity() if norm is None else optax.clip_by_global_norm(norm))
    if settings.clip_layer is not None:
        parts.append(clip_each(settings.clip_layer))
    if settings.clip_adaptive is not None:
        parts.append(clip_units(settings.clip_adaptive))
    if settings.gradient_noise:
        # Another key than any that the run draws parameters or masks with.
        key = jax.random.fold_in(jax.random.key(settings.seed), _NOISE)
        parts.append(optax.add_noise(settings.gradient_noise**2, 0.55, key))
    optimizer = OPTIMIZERS[settings.optimizer](settings)
    whole = optax.chain(*parts, layers.waiting(optimizer) if layers else optimizer)
    if settings.accumulate == 1:
        return optax.with_extra_args_support(whole)
    # Between two updates those of the optimizer are zero, and its state as it was.
    several = optax.MultiSteps(whole, settings.accumulate)

    def update(
        updates: Any, state: Any, params: Any = None, **more: Any
    ) -> tuple[Any, Any]:
        return several.update(updates, state, params, **more)

    return optax.GradientTransformationExtraArgs(several.init, update)


def clip_each(norm: jax.Array | float) -> optax.GradientTransformation:
    """Returns clipping of each array of the gradient by its own norm."""

    def clip(grads: Any, params: Any) -> Any:
        del params
        return jax.tree.map(
            lambda g: g * jnp.minimum(1, norm / (jnp.linalg.norm(g.ravel()) + 1e-12)),
            grads,
        )

    return optax.stateless(clip)


def clip_units(ratio: float) -> optax.GradientTransformation:
    """Returns clipping of each unit's gradient by the norm of its weights.

    A unit is a column of the last two axes, a row of embedding and output matrix, and
    a bias as a whole.

    References:
        Brock, De, Smith, Simonyan, High-performance large-scale image recognition
        without normalization, 2021, https://arxiv.org/abs/2102.06171
    """

    def clip(path: Any, g: jax.Array, p: jax.Array) -> Any:
        name = jax.tree_util.keystr(path[-1:], simple=True)
        axis = None if g.ndim < 2 else -1 if name in _ROWS else -2
        return optax.adaptive_grad_clip(ratio, axis=axis).update(g, (), p)[0]

    return optax.stateless(
        lambda grads, params: jax.tree_util.tree_map_with_path(clip, grads, params)
    )


def _add_l1(weight: float) -> optax.GradientTransformation:
    """Adds the gradient of `weight` times the absolute values of the parameters."""

    def add(grads: Any, params: Any) -> Any:
        return jax.tree.map(lambda g, p: g + weight * jnp.sign(p), grads, params)

    return optax.stateless(add)
