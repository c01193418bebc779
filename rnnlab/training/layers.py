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
import optax

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
        self._task, self._decay = task, rates.layer_decay
        self._every = rates.unfreeze_every and rates.unfreeze_every * epoch  # steps
        self._depths: Callable[[Params], Any] | None = None
        if rates == LayerRates():
            return
        if not isinstance(task, Layered):
            raise InputError(
                f"--layer_decay and --unfreeze_every need a task with a method depths,"
                f" got {type(task).__name__}; leave them out."
            )
        self._depths = task.depths

    def waiting(
        self, optimizer: optax.GradientTransformation
    ) -> optax.GradientTransformation:
        """Returns the optimizer with a state for each layer, begun with that layer.

        One that begins with the run would hold its averages for settled when a layer's
        first gradients come, and make its first steps several times as long. `update`
        takes the step of the run as `at=`.
        """
        if self._depths is None or self._every is None:
            return optimizer

        def from_its_first_step(depth: int) -> optax.GradientTransformation:
            def begun(step: Any, **given: Any) -> jax.Array:
                del step  # optax counts updates, of which there may be fewer
                return self._begun(depth, given["at"])

            return optax.conditionally_mask(optimizer, begun, forward_extra_args=True)

        params = jax.eval_shape(self._task.init, jax.random.key(0))
        depths = {*jax.tree.leaves(self._depths(params))}
        return optax.partition(
            {depth: from_its_first_step(depth) for depth in depths}, self._depths
        )

    def trained(self, grads: Params, step: jax.Array) -> Params:
        """Returns the gradient, zero where a layer is not trained yet."""
        if self._depths is None or self._every is None:
            return grads
        return jax.tree.map(
            lambda g, depth: jnp.where(self._begun(depth, step), g, 0),
            grads,
            self._depths(grads),
        )

    def slowed(self, updates: Params) -> Params:
        """Returns what is added to parameters, at each layer's own rate."""
        if self._depths is None:
            return updates
        return jax.tree.map(
            lambda u, depth: u * self._decay**-depth, updates, self._depths(updates)
        )

    def _begun(self, depth: int, step: jax.Array) -> jax.Array:
        """Returns whether the layers of a depth are trained at a step."""
        return step >= min(depth * (self._every or 0), MOST)
