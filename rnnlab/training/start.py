"""A run that begins with parameters that were trained before."""

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.training.events import Events
from rnnlab.training.quiet import Quiet
from rnnlab.training.step import State
from rnnlab.training.task import Params, Task


@runtime_checkable
class Started(Protocol):
    """A task that may know better parameters than those it draws."""

    def start(self, drawn: Params) -> tuple[Params, str] | None:
        """Returns arrays like those that `init` drew, and a line on them; or None."""
        ...


def started(task: Task, state: State, log: Events | Quiet) -> State:
    """Returns the state before the first step, with the task's own parameters.

    The optimizer begins anew: none keeps anything of the parameters at its start.
    """
    found = task.start(state.params) if isinstance(task, Started) else None
    if found is None:
        return state
    params, told = found
    log.tell(told, "pretrained", told=told)

    def place(new: jax.Array, old: jax.Array) -> jax.Array:
        # Copied: NumPy's memory is not to be donated.
        return jnp.copy(jax.device_put(np.asarray(new, old.dtype), old.sharding))

    state = state._replace(params=jax.tree.map(place, params, state.params))
    if not state.average:
        return state
    # A second copy: both are donated.
    mean = jax.tree.map(place, params, state.average.params)
    return state._replace(average=state.average._replace(params=mean))
