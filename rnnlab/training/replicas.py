"""Many runs of one shape, trained side by side as one program.

Runs that differ in their seed, or in numbers that the program takes as arguments (a
learning rate, a bound, a weight), are rows of one batch: one compilation, and products
that are large where those of a single run are small. What a run draws depends on its
own key and its count of updates alone, so that it may leave the others at any time.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Params = Any
Knobs = Any


@dataclasses.dataclass(frozen=True)
class Learner:
    """What all runs share; functions of one run's arrays, hashed by identity.

    Attributes:
        init: from a key and knobs, the parameters.
        gradient: from parameters, a key and knobs, the loss and its gradient.
        error: from parameters and a key, what a run is judged by: the share of new
            sequences that it fails, say.
        optimizer: from knobs, which may be traced.
        measure: from parameters, a key and knobs, what is recorded beside; or None.
    """

    init: Callable[[jax.Array, Knobs], Params]
    gradient: Callable[[Params, jax.Array, Knobs], tuple[jax.Array, Params]]
    error: Callable[[Params, jax.Array], jax.Array]
    optimizer: Callable[[Knobs], optax.GradientTransformation]
    measure: Callable[[Params, jax.Array, Knobs], Any] | None = None


class Replicas(NamedTuple):
    """The state of N runs: leaves [N, ...].

    Attributes:
        key: of all that a run draws.
        knobs: the numbers in which runs differ.
        params: what is learned.
        optimizer: the optimizer's state.
        updates: done so far, int32.
    """

    key: jax.Array
    knobs: Knobs
    params: Params
    optimizer: optax.OptState
    updates: jax.Array


@functools.partial(jax.jit, static_argnums=0)
def start(learner: Learner, seeds: jax.Array, knobs: Knobs) -> Replicas:
    """Returns runs before their first update, one after the other drawn.

    Args:
        learner: what they share.
        seeds: int32 [N]: equal ones draw the same, whatever the knobs.
        knobs: leaves [N, ...].
    """

    def one(inputs):
        seed, own = inputs
        of_params, key = jax.random.split(jax.random.key(seed))
        params = learner.init(of_params, own)
        memory = learner.optimizer(own).init(params)
        return Replicas(key, own, params, memory, jnp.zeros((), jnp.int32))

    return jax.lax.map(one, (seeds, knobs))


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def advance(learner: Learner, count: int, runs: Replicas) -> tuple[Replicas, jax.Array]:
    """Returns the runs `count` updates later, and the mean loss of these, [N].

    The mean is not finite where a run has diverged.
    """

    def update(run, _):
        key = jax.random.fold_in(run.key, run.updates)
        loss, grads = learner.gradient(run.params, key, run.knobs)
        changes, memory = learner.optimizer(run.knobs).update(
            grads, run.optimizer, run.params
        )
        params = optax.apply_updates(run.params, changes)
        updates = run.updates + 1
        return Replicas(run.key, run.knobs, params, memory, updates), loss

    def one(run):
        run, losses = jax.lax.scan(update, run, None, count)
        return run, jnp.mean(losses)

    return jax.vmap(one)(runs)


@functools.partial(jax.jit, static_argnums=(0, 1))
def judge(learner: Learner, times: int, runs: Replicas) -> jax.Array:
    """Returns the error of each run, [N]: the mean over `times` draws.

    These are draws that no update has, the same at each call.
    """

    def one(run):
        keys = jax.random.split(_aside(run), times)
        return jnp.mean(jax.lax.map(lambda key: learner.error(run.params, key), keys))

    return jax.vmap(one)(runs)


@functools.partial(jax.jit, static_argnums=0)
def measure(learner: Learner, runs: Replicas) -> Any:
    """Returns what `learner.measure` says of each run, leaves [N, ...]."""
    look = learner.measure
    if look is None:
        return ()
    return jax.vmap(lambda run: look(run.params, _aside(run), run.knobs))(runs)


def select(runs: Replicas, which: Sequence[int]) -> Replicas:
    """Returns the runs at some places, in their order."""
    index = jnp.asarray(which, jnp.int32)
    return jax.tree.map(lambda leaf: leaf[index], runs)


def _aside(run: Replicas) -> jax.Array:
    """Returns a key that no update has."""
    return jax.random.fold_in(run.key, 2**32 - 1)
