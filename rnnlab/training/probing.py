"""A look inside of one update, every so often: what the task's probe finds of it.

The update takes over the buffers of the state before it, so what the probe needs of
that state is copied first. Nothing flows back: a run with probes is, bit for bit, the
run without.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from rnnlab.errors import InputError
from rnnlab.training.step import State
from rnnlab.training.task import Batch, Memory, Params, Task


@runtime_checkable
class Probed(Protocol):
    """A task that knows what to look at; asked for by `--probe_every` alone."""

    def probe(
        self,
        params: Params,
        updates: Params,
        memory: Memory,
        batch: Batch,
        key: jax.Array,
    ) -> Mapping[str, jax.Array]:
        """Returns figures of one update by name, [] each; pure.

        Args:
            params: before the update.
            updates: what it added to them.
            memory: before the batch.
            batch: that the update was made from.
            key: of the randomness of the update.
        """
        ...


class Before(NamedTuple):
    """Of the state before an update, what a probe of it needs."""

    params: Params
    memory: Memory
    key: jax.Array


def keep(state: State) -> Before:
    """Returns copies, and the key of the update that is to follow."""
    params, memory = jax.tree.map(jnp.copy, (state.params, state.memory))
    return Before(params, memory, jax.random.fold_in(state.key, state.step))


def prober(task: Task) -> Callable[[Before, Params, Batch], Mapping[str, jax.Array]]:
    """Returns the compiled probe: (before, params after the update, batch) -> figures.

    Raises:
        InputError: the task has no method `probe`.
    """
    if not isinstance(task, Probed):
        raise InputError(
            f"--probe_every needs a task with a method probe, got"
            f" {type(task).__name__}; leave it out."
        )
    find = task.probe

    @jax.jit
    def probe(before: Before, after: Any, batch: Any) -> Mapping[str, jax.Array]:
        updates = jax.tree.map(jnp.subtract, after, before.params)
        return find(before.params, updates, before.memory, batch, before.key)

    return probe
