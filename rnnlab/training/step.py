"""One update of everything a run changes, compiled once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rnnlab.training import schedules
from rnnlab.training.optimizers import chain
from rnnlab.training.settings import Training
from rnnlab.training.task import Batch, Memory, Params, Task


class State(NamedTuple):
    """All that a run changes: saved together, it resumes bit for bit.

    Attributes:
        step: batches seen, which is also the position in the data, int32.
        params: what is learned.
        optimizer: the optimizer's state.
        memory: the carries after the last batch.
        key: of this run's randomness; a step's key is this one folded with `step`.
        plateau: the factor on the learning rate, and what lowers it.
        skipped: updates skipped in a row for a number that was not finite, int32.
    """

    step: jax.Array
    params: Params
    optimizer: optax.OptState
    memory: Memory
    key: jax.Array
    plateau: Any
    skipped: jax.Array


class Metrics(NamedTuple):
    """What one update tells: float32 scalars, and `skipped` as in `State`."""

    loss: jax.Array
    grad_norm: jax.Array
    learning_rate: jax.Array
    skipped: jax.Array


def init(task: Task, settings: Training) -> State:
    """Returns the state before the first step."""
    params_key, key = jax.random.split(jax.random.key(settings.seed))
    params = jax.jit(task.init)(params_key)
    return State(
        step=jnp.zeros((), jnp.int32),
        params=params,
        optimizer=chain(settings).init(params),
        # Copied: it is donated, and a cell may begin with one array in two places.
        memory=jax.tree.map(jnp.copy, task.memory("train")),
        key=key,
        plateau=_plateau(settings).init(()),
        skipped=jnp.zeros((), jnp.int32),
    )


Step = Callable[[State, Batch], tuple[State, Metrics]]


def train_step(task: Task, settings: Training, steps: int) -> Step:
    """Returns the compiled update; it takes over the buffers of the state given.

    An update whose loss, gradient norm, rate or carries are not finite changes neither
    parameters nor optimizer nor carry; it is counted in `skipped`. The gradient norm is
    also infinite where its square leaves float32, so that what an optimizer keeps of
    squares is finite too. A parameter that would leave float32 by the update itself
    stays as it was.

    Args:
        task: what is learned.
        settings: the optimizer and the schedule.
        steps: the length of the run, for schedules that end with it.
    """
    return jax.jit(update(task, settings, steps), donate_argnums=0)


def update(task: Task, settings: Training, steps: int, guarded: bool = True) -> Step:
    """Returns the update of `train_step`, not compiled.

    Args:
        task: what is learned.
        settings: the optimizer and the schedule.
        steps: the length of the run, for schedules that end with it.
        guarded: False for one that goes on whatever its numbers are.
    """
    optimizer = chain(settings)
    make = schedules.SCHEDULES[settings.schedule]
    schedule = make(settings, steps, task.steps_per_epoch)

    def change(state: State, batch: Batch) -> tuple[State, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        (loss, outcome), grads = jax.value_and_grad(task.loss, has_aux=True)(
            state.params, state.memory, batch, key, True
        )
        norm = optax.tree.norm(grads)
        rate = schedule(state.step) * state.plateau.scale

        def moved(p: jax.Array, u: jax.Array) -> jax.Array:
            new = p + rate * u
            return jnp.where(jnp.isfinite(new), new, p) if guarded else new

        def go(grads: Params, kept: Any, params: Params) -> tuple[Params, Any]:
            updates, kept = optimizer.update(grads, kept, params)
            return jax.tree.map(moved, params, updates), kept

        def stay(grads: Params, kept: Any, params: Params) -> tuple[Params, Any]:
            return params, kept

        parts = (grads, state.optimizer, state.params)
        memory, skipped = outcome.memory, state.skipped
        if guarded:
            finite = all_finite((loss, norm, rate, memory))
            # A branch: to select each number of both states reads them once more.
            params, kept = jax.lax.cond(finite, go, stay, *parts)
            memory = jax.tree.map(
                lambda new, old: jnp.where(finite, new, old), memory, state.memory
            )
            skipped = jnp.where(finite, 0, skipped + 1)
        else:
            params, kept = go(*parts)
        after = state._replace(
            step=state.step + 1,
            params=params,
            optimizer=kept,
            memory=memory,
            skipped=skipped,
        )
        return after, Metrics(loss, norm, rate, skipped)

    return change


def all_finite(tree: Any) -> jax.Array:
    """Returns whether no number of any leaf is a NaN or infinite, bool []."""
    finite = jnp.bool_(True)
    for leaf in jax.tree.leaves(tree):
        if jnp.issubdtype(leaf.dtype, jnp.inexact):
            finite &= jnp.isfinite(leaf).all()
    return finite


def lower_on_plateau(settings: Training, state: State, loss: float) -> State:
    """Returns the state after a validation: a plateau may lower the rate."""
    if settings.schedule != "plateau":
        return state
    _, plateau = _plateau(settings).update((), state.plateau, value=jnp.float32(loss))
    return state._replace(plateau=plateau)


def _plateau(settings: Training) -> optax.GradientTransformationExtraArgs:
    """Returns optax's reduction on a plateau, which is fed once for each validation."""
    return optax.contrib.reduce_on_plateau(
        factor=settings.decay, patience=settings.plateau_patience
    )
