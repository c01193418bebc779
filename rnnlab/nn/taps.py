"""The gradient by the carry at each step, for every recurrent layer of a Flax module.

    def loss(outcome):
        carries, nats = outcome
        return nats[-1].sum()  # of the last token alone

    found = by_carry(loss, model, variables, carries, tokens, targets, method="loss")
    rate(by_lag(found["stack/Recurrent_0"]))

A layer adds the variable `carry` of the collection `taps`, where it is given one, to
its carry before each step. It is zero here: the gradient by it is what is asked for.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.engines.engine import shape_of
from rnnlab.nn.layers import layers
from rnnlab.probes.gradients import differentiable


def zeros(
    module: nn.Module, variables: Any, *args: Any, **kwargs: Any
) -> dict[str, Any]:
    """Returns zero taps by layer: for the carry's [B, ...] each, leaves [T, B, ...].

    Args:
        module: a `Recurrent`, or one with some inside.
        variables: as `module.apply` takes them, and all that follows.
        *args: of the call.
        **kwargs: of the call, and `method` or `rngs`.

    Raises:
        TypeError: a carry has a leaf of whole numbers, which have no gradient.
        ValueError: there is no recurrent layer in the module.
    """

    def taps():
        found = layers(module, variables, *args, **kwargs)
        for layer in found.values():
            differentiable(layer.cell, layer.carry)
        return {path: _zeros(layer.carry, layer.x) for path, layer in found.items()}

    shapes = jax.eval_shape(taps)  # nothing is computed
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)


def collection(taps: dict[str, Any]) -> dict[str, Any]:
    """Returns taps by layer as the collection `taps` of a module's variables."""
    nested: dict[str, Any] = {}
    for path, carry in taps.items():
        inside = nested
        for name in filter(None, path.split("/")):
            inside = inside.setdefault(name, {})
        inside["carry"] = carry
    return nested


def by_carry(
    loss: Callable[[Any], jax.Array],
    module: nn.Module,
    variables: Any,
    *args: Any,
    **kwargs: Any,
) -> dict[str, Any]:
    """Returns dL/dcarry_t for t = 0 to T - 1, by layer: leaves [T, B, ...].

    The carry of a layer before each of its steps; one that reads from the end has its
    own order. In the norms `by_lag` gives of it, the first is that one step before the
    end.

    Args:
        loss: from what `module.apply` returns, a real number.
        module: a `Recurrent`, or one with some inside.
        variables: as `module.apply` takes them, and all that follows.
        *args: of the call.
        **kwargs: of the call, and `method` or `rngs`.

    Raises:
        TypeError: a carry has a leaf of whole numbers, which have no gradient.
        ValueError: there is no recurrent layer in the module.
    """

    def of_taps(taps):
        tapped = {**variables, "taps": collection(taps)}
        return loss(module.apply(tapped, *args, **kwargs))

    return jax.grad(of_taps)(zeros(module, variables, *args, **kwargs))


def _zeros(carry, x):
    """Returns zeros for each step, of the carry's shapes: leaves [T, B, ...]."""
    steps = shape_of(x)[0]
    return jax.tree.map(lambda a: jnp.zeros((steps, *a.shape), a.dtype), carry)
