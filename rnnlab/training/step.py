"""One update of everything a run changes, compiled once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rnnlab.training import averaging, schedules
from rnnlab.training.layers import ByLayer
from rnnlab.training.mesh import ONE, Layout
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
        average: a mean of the parameters, () for none.
        trigger: what validations tell that mean, () for nothing.
    """

    step: jax.Array
    params: Params
    optimizer: optax.OptState
    memory: Memory
    key: jax.Array
    plateau: Any
    skipped: jax.Array
    average: Any = ()
    trigger: Any = ()

    @property
    def used(self) -> Params:
        """What is evaluated and used: the mean of the parameters where there is one."""
        return self.average.params if self.average else self.params


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
    # Whose state is the same, however long an epoch is: there may be no data.
    layers = ByLayer(task, settings.layer_rates, epoch=1)
    average, trigger = averaging.begin(settings.averaging, params)
    return State(
        step=jnp.zeros((), jnp.int32),
        params=params,
        optimizer=chain(settings, layers).init(params),
        # Copied: it is donated, and a cell may begin with one array in two places.
        memory=jax.tree.map(jnp.copy, task.memory("train")),
        key=key,
        plateau=_plateau(settings).init(()),
        skipped=jnp.zeros((), jnp.int32),
        average=average,
        trigger=trigger,
    )


class Seen(NamedTuple):
    """What a batch makes of a state, nothing being changed yet.

    Attributes:
        loss: mean over the batch, in nats, without penalties.
        grads: of the loss with penalties, like the parameters; zero where a layer is
            not trained yet.
        norm: of all gradients as one vector; infinite where its square leaves float32.
        rate: the learning rate.
        memory: the carries after the batch.
    """

    loss: jax.Array
    grads: Params
    norm: jax.Array
    rate: jax.Array
    memory: Memory


Step = Callable[[State, Batch], tuple[State, Metrics]]


def train_step(
    task: Task, settings: Training, steps: int, layout: Layout = ONE
) -> Step:
    """Returns the compiled `update`; it takes over the buffers of the state given."""
    return jax.jit(update(task, settings, steps, layout), donate_argnums=0)


def update(
    task: Task, settings: Training, steps: int, layout: Layout = ONE
) -> Callable[..., tuple[State, Metrics]]:
    """Returns a function of state, batch and perhaps a factor on the learning rate.

    An update whose loss, gradient norm, rate or carries are not finite changes neither
    parameters nor optimizer nor carry; it is counted in `skipped`. So does a norm whose
    square leaves float32: what an optimizer keeps of squares is finite too. A parameter
    that would leave float32 by the update itself stays as it was. A mean of parameters
    counts the updates that were made.

    Args:
        task: what is learned.
        settings: the optimizer and the schedule.
        steps: the length of the run, for schedules that end with it.
        layout: where the state lies, before and after.
    """
    look = looker(task, settings, steps, layout)
    layers = _layers(task, settings)
    optimizer = chain(settings, layers)
    follow = averaging.follower(settings.averaging, task.steps_per_epoch)

    def go(seen: Seen, state: State) -> tuple[Params, Any, Any]:
        def moved(p: jax.Array, u: jax.Array) -> jax.Array:
            new = p + seen.rate * u
            return jnp.where(jnp.isfinite(new), new, p)

        updates, kept = optimizer.update(
            seen.grads, state.optimizer, state.params, at=state.step
        )
        params = jax.tree.map(moved, state.params, layers.slowed(updates))
        return params, kept, follow(state.average, state.trigger, state.step, params)

    def stay(seen: Seen, state: State) -> tuple[Params, Any, Any]:
        return state.params, state.optimizer, state.average

    def change(
        state: State, batch: Batch, factor: jax.Array | float = 1.0
    ) -> tuple[State, Metrics]:
        seen = look(state, batch)
        seen = seen._replace(rate=seen.rate * factor)
        finite = all_finite((seen.loss, seen.norm, seen.rate, seen.memory))
        # A branch: to select each number of both states reads them once more.
        params, kept, average = jax.lax.cond(finite, go, stay, seen, state)
        memory = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old), seen.memory, state.memory
        )
        skipped = jnp.where(finite, 0, state.skipped + 1)
        after = state._replace(
            step=state.step + 1,
            params=params,
            optimizer=kept,
            memory=memory,
            skipped=skipped,
            average=average,
        )
        metrics = Metrics(seen.loss, seen.norm, seen.rate, skipped)
        return layout.constrain(task, after), metrics

    return change


def looker(
    task: Task, settings: Training, steps: int, layout: Layout = ONE
) -> Callable[[State, Batch], Seen]:
    """Returns the part of an update, not compiled, that changes nothing.

    Args:
        task: what is learned.
        settings: the schedule.
        steps: the length of the run, for schedules that end with it.
        layout: where the parameters lie.
    """
    make = schedules.SCHEDULES[settings.schedule]
    schedule = make(settings, steps, task.steps_per_epoch)
    layers = _layers(task, settings)

    def look(state: State, batch: Batch) -> Seen:
        key = jax.random.fold_in(state.key, state.step)
        (loss, outcome), grads = jax.value_and_grad(task.loss, has_aux=True)(
            layout.whole(state.params), state.memory, batch, key, True
        )
        grads = layers.trained(grads, state.step)
        rate = schedule(state.step) * state.plateau.scale
        if settings.accumulate == 1:
            rate *= outcome.rate
        else:  # each batch's own, of several that make one update
            grads = jax.tree.map(lambda g: g * outcome.rate, grads)
        loss, norm = loss - outcome.penalty, optax.tree.norm(grads)
        return Seen(loss, grads, norm, rate, outcome.memory)

    return look


def _layers(task: Task, settings: Training) -> ByLayer:
    """Returns how the layers of a task's network differ in training."""
    return ByLayer(task, settings.layer_rates, task.steps_per_epoch)


def shapes(batch: Batch) -> tuple[tuple[int, ...], ...]:
    """Returns the shapes of a batch: a step is compiled for each anew."""
    return tuple(leaf.shape for leaf in jax.tree.leaves(batch))


def all_finite(tree: Any) -> jax.Array:
    """Returns whether no number of any leaf is a NaN or infinite, bool []."""
    finite = jnp.bool_(True)
    for leaf in jax.tree.leaves(tree):
        if jnp.issubdtype(leaf.dtype, jnp.inexact):
            finite &= jnp.isfinite(leaf).all()
    return finite


def validated(settings: Training, state: State, loss: float) -> State:
    """Returns the state after a validation: what waits for one may change."""
    state = lower_on_plateau(settings, state, loss)
    return state._replace(trigger=averaging.heed(state.trigger, loss))


def lower_on_plateau(settings: Training, state: State, loss: float) -> State:
    """Returns the state with the lower rate that a plateau may have."""
    if settings.schedule != "plateau":
        return state
    # With a patience that was lowered since, the count may be past it: optax asks
    # whether it is equal.
    count = jnp.minimum(state.plateau.plateau_count, settings.plateau_patience - 1)
    waiting = state.plateau._replace(plateau_count=count)
    _, plateau = _plateau(settings).update((), waiting, value=jnp.float32(loss))
    return state._replace(plateau=plateau)


def _plateau(settings: Training) -> optax.GradientTransformationExtraArgs:
    """Returns optax's reduction on a plateau, which is fed once for each validation."""
    return optax.contrib.reduce_on_plateau(
        factor=settings.decay, patience=settings.plateau_patience
    )
