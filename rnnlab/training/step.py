"""One update of everything a run changes, compiled once."""

import functools
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


def train_step(
    task: Task, settings: Training, steps: int
) -> Callable[[State, Batch], tuple[State, Metrics]]:
    """Returns the compiled update; it takes over the buffers of the state given.

    An update with a loss or gradient that is not finite changes nothing but `step`
    and `skipped`: neither parameters nor optimizer nor carries ever hold a NaN.

    Args:
        task: what is learned.
        settings: the optimizer and the schedule.
        steps: the length of the run, for schedules that end with it.
    """
    optimizer = chain(settings)
    make = schedules.SCHEDULES[settings.schedule]
    schedule = make(settings, steps, task.steps_per_epoch)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        (loss, outcome), grads = jax.value_and_grad(task.loss, has_aux=True)(
            state.params, state.memory, batch, key, True
        )
        norm = optax.tree.norm(grads)
        rate = schedule(state.step) * state.plateau.scale
        updates, optimizer_state = optimizer.update(
            grads, state.optimizer, state.params
        )
        params = jax.tree.map(lambda p, u: p + rate * u, state.params, updates)

        finite = jnp.isfinite(loss) & jnp.isfinite(norm)
        before = state.params, state.optimizer, state.memory
        params, optimizer_state, memory = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old),
            (params, optimizer_state, outcome.memory),
            before,
        )
        skipped = jnp.where(finite, 0, state.skipped + 1)
        after = state._replace(
            step=state.step + 1,
            params=params,
            optimizer=optimizer_state,
            memory=memory,
            skipped=skipped,
        )
        return after, Metrics(loss, norm, rate, skipped)

    return step


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
