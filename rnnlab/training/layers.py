"""Learning rates by layer: how far below the output a parameter stands.

References:
    Howard, Ruder, Universal language model fine-tuning for text classification, 2018,
    https://arxiv.org/abs/1801.06146 (discriminative rates, gradual unfreezing)
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from rnnlab.errors import InputError
from rnnlab.options import check, option
from rnnlab.training.task import Params, Task

MOST = 2**31 - 1  # what int32 holds


@dataclasses.dataclass(frozen=True)
class LayerRates:
    """How the layers of a network differ in training; by default they do not."""

    layer_decay: float = option(
        1.0,
        "each layer's learning rate is that of the layer above divided by this",
        least=1,
        below=100,
        soft=True,
    )
    unfreeze_every: int | None = option(
        None,
        "epochs after which one layer more is trained, from the output down; by"
        " default all from the start",
        above=0,
        soft=True,
    )

    def __post_init__(self):
        check(self)


@runtime_checkable
class Layered(Protocol):
    """A task whose parameters stand in layers."""

    def depths(self, params: Params) -> Any:
        """Returns how many layers stand above each parameter, 0 for the output's."""
        ...


class ByLayer:
    """What is done to gradients and updates; nothing by default."""

    def __init__(self, task: Task, rates: LayerRates, epoch: int):
        """Asks the task for its layers, if they are to differ.

        Args:
            task: what is learned.
            rates: how they differ.
            epoch: steps in one.

        Raises:
            InputError: the task has no layers.
        """
        self._rates, self._epoch = rates, epoch
        self._depths: Callable[[Params], Any] | None = None
        if rates == LayerRates():
            return
        if not isinstance(task, Layered):
            raise InputError(
                f"--layer_decay and --unfreeze_every need a task with a method depths,"
                f" got {type(task).__name__}; leave them out."
            )
        self._depths = task.depths

    def trained(self, grads: Params, step: jax.Array) -> Params:
        """Returns the gradient, zero where a layer is not trained yet."""
        every = self._rates.unfreeze_every
        if self._depths is None or every is None:
            return grads

        def kept(g: jax.Array, depth: int) -> jax.Array:
            return jnp.where(step >= min(depth * every * self._epoch, MOST), g, 0)

        return jax.tree.map(kept, grads, self._depths(grads))

    def slowed(self, updates: Params, step: jax.Array) -> Params:
        """Returns what is added to parameters, at each layer's own rate."""
        if self._depths is None:
            return updates
        decay = self._rates.layer_decay
        slow = jax.tree.map(lambda u, d: u * decay**-d, updates, self._depths(updates))
        return self.trained(slow, step)  # weight decay and momentum wait too
