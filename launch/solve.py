"""Whether one layer of a cell learns a toy problem, in a fixed number of steps."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan
from rnnlab.problems import Adding, Classes, Draw, Parity, Problem


class Toy(NamedTuple):
    """A problem and when it counts as solved.

    Attributes:
        problem: what is to be learned.
        solved: the share of wrong answers or, of numbers, the squared error that it is
            to fall below.
    """

    problem: Problem
    solved: float


class Training(NamedTuple):
    """How a toy problem is trained."""

    features: int = 32
    rows: int = 32
    updates: int = 1000
    rate: float = 1e-2
    norm: float = 1.0


TRAINING = Training()


def solve(
    cell: Callable[[int], Cell[Any]],
    toy: Toy,
    training: Training = TRAINING,
    engine: Engine = Scan(),
    seeds: Sequence[int] = (0,),
) -> np.ndarray:
    """Returns, by seed, how wrong the last tenth of the batches was answered.

    One layer and a linear output, Adam with the gradient clipped by its norm, a new
    batch each time. All seeds are trained side by side, in one program.

    Args:
        cell: makes it from a number of units.
        toy: what is to be learned.
        training: how.
        engine: how the steps are executed.
        seeds: each one's data and parameters.
    """
    made = cell(training.features)
    runs = [_drawn(made, toy.problem, training, seed) for seed in seeds]
    params, keys = jax.tree.map(lambda *leaves: np.stack(leaves), *runs)
    return np.asarray(_train(made, toy.problem, training, engine, params, keys))


def _drawn(cell, problem, training, seed):
    """Returns params and the key of all batches; not compiled: cells share what is."""
    of_cell, of_output, of_batches = jax.random.split(jax.random.key(seed), 3)
    rows = training.rows
    own, carry = cell.init(of_cell, problem.inputs), cell.initial((rows,))
    x = jax.eval_shape(lambda key: problem.draw(key, rows).x, of_batches)
    said = jax.eval_shape(lambda own, x: Scan()(cell, own, carry, x)[1], own, x)
    shape = said.shape[-1], problem.outputs
    output = shape[0] ** -0.5 * jax.random.normal(of_output, shape)
    params = {"cell": own, "output": output, "bias": np.zeros(shape[1:], np.float32)}
    return params, jax.random.key_data(of_batches)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
@functools.partial(jax.vmap, in_axes=(None, None, None, None, 0, 0))
def _train(cell, problem, training, engine, params, key):
    optimizer = optax.chain(
        optax.clip_by_global_norm(training.norm), optax.adam(training.rate)
    )
    carry = cell.initial((training.rows,))

    def loss(params, draw):
        _, h = engine(cell, params["cell"], carry, draw.x)
        said = h @ params["output"] + params["bias"]
        return problem.loss(said, draw), wrong(problem, said, draw)

    def update(state, key):
        params, memory = state
        draw = problem.draw(key, training.rows)
        (_, errors), gradient = jax.value_and_grad(loss, has_aux=True)(params, draw)
        change, memory = optimizer.update(gradient, memory, params)
        return (optax.apply_updates(params, change), memory), errors

    keys = jax.random.split(jax.random.wrap_key_data(key), training.updates)
    _, errors = jax.lax.scan(update, (params, optimizer.init(params)), keys)
    return jnp.mean(errors[-max(1, training.updates // 10) :])


def wrong(problem: Problem, said: jax.Array, draw: Draw) -> jax.Array:
    """Returns the share of wrong answers, or the mean squared error of numbers."""
    of_each = problem.misses if isinstance(problem, Classes) else problem.losses
    errors = of_each(said[-len(draw.y) :], draw.y)
    return jnp.sum(errors * draw.counts) / jnp.sum(draw.counts)


PARITY, ADDING = Parity(steps=10), Adding(steps=50)
TOYS = {"parity": Toy(PARITY, 0.05), "adding": Toy(ADDING, 0.02)}
