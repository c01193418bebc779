"""Whether one layer of a cell learns a toy problem, in a fixed number of steps."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rnnlab.cell import Cell
from rnnlab.data.synthetic import Problem, adding, parity
from rnnlab.engines import Engine, Scan

Draw = Callable[[np.random.Generator, int, int], Problem]


class Toy(NamedTuple):
    """A problem, how it is judged, and when it counts as solved.

    Attributes:
        draw: gives a batch of it.
        steps: T.
        loss: from what was said and what should have been, of each answer.
        wrong: the same, what is to fall below `solved` in the mean.
        solved: see above.
    """

    draw: Draw
    steps: int
    loss: Callable[[jax.Array, jax.Array], jax.Array]
    wrong: Callable[[jax.Array, jax.Array], jax.Array]
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
    runs = [_drawn(made, toy, training, seed) for seed in seeds]
    params, data = jax.tree.map(lambda *leaves: np.stack(leaves), *runs)
    return np.asarray(_train(made, toy, training, engine, params, data))


def _drawn(cell, toy, training, seed):
    """Returns params and all batches; not compiled: cells share what is."""
    rng = np.random.default_rng(seed)
    batches = [toy.draw(rng, toy.steps, training.rows) for _ in range(training.updates)]
    x, y = (np.stack([batch[k] for batch in batches]) for k in (0, 1))
    of_cell, of_output = jax.random.split(jax.random.key(seed))
    own, carry = cell.init(of_cell, x.shape[-1]), cell.initial((training.rows,))
    said = jax.eval_shape(lambda own: Scan()(cell, own, carry, x[0])[1], own)
    shape = said.shape[-1], y.shape[-1]
    output = shape[0] ** -0.5 * jax.random.normal(of_output, shape)
    params = {"cell": own, "output": output, "bias": np.zeros(shape[1:], np.float32)}
    return params, (x, y, batches[0].counts / batches[0].counts.sum())


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
@functools.partial(jax.vmap, in_axes=(None, None, None, None, 0, 0))
def _train(cell, toy, training, engine, params, data):
    x, y, counts = data
    optimizer = optax.chain(
        optax.clip_by_global_norm(training.norm), optax.adam(training.rate)
    )
    carry = cell.initial((training.rows,))

    def loss(params, x, y):
        _, h = engine(cell, params["cell"], carry, x)
        answer = h @ params["output"] + params["bias"]

        def mean(of_each):
            return jnp.sum(counts * jnp.mean(of_each(answer, y), axis=(1, 2)))

        return mean(toy.loss), mean(toy.wrong)

    def update(state, batch):
        params, memory = state
        (_, wrong), gradient = jax.value_and_grad(loss, has_aux=True)(params, *batch)
        change, memory = optimizer.update(gradient, memory, params)
        return (optax.apply_updates(params, change), memory), wrong

    _, wrong = jax.lax.scan(update, (params, optimizer.init(params)), (x, y))
    return jnp.mean(wrong[-max(1, training.updates // 10) :])


def misjudged(answer: jax.Array, y: jax.Array) -> jax.Array:
    """Returns 1 where the answer's sign is the wrong one for a target of 0 or 1."""
    return ((answer > 0) != (y > 0.5)).astype(jnp.float32)


TOYS = {
    "parity": Toy(parity, 10, optax.sigmoid_binary_cross_entropy, misjudged, 0.05),
    "adding": Toy(adding, 50, optax.squared_error, optax.squared_error, 0.02),
}
