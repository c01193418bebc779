"""The mean loss over a whole split, with the carried state."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.training.mesh import ONE, Layout
from rnnlab.training.task import Batch, Memory, Params, Task

# Of parameters, split, and perhaps whether to stop, which is asked at each batch.
Evaluate = Callable[..., float | None]


def evaluator(task: Task, layout: Layout = ONE) -> Evaluate:
    """Returns a function: the mean loss in nats a target, None if it was to stop.

    Each target counts once, whatever the size of the last batch. The sum is taken on
    the host in double precision, one batch late, so that the device never waits.
    """
    step = jax.jit(_batch(task, layout), donate_argnums=1)

    def evaluate(
        params: Params, split: str, stop: Callable[[], bool] = lambda: False
    ) -> float | None:
        memory = layout.memory(lambda: jax.tree.map(jnp.copy, task.memory(split)))
        done = []
        for batch in task.batches(split):
            if stop():
                return None
            memory, result = step(params, memory, layout.batch(task, batch))
            _wait_for_the_last_but_one(done, result)
        pairs = [(float(loss), float(weight)) for loss, weight in done]
        return sum(loss * w for loss, w in pairs) / sum(w for _, w in pairs)

    return evaluate


def evaluator_of_many(task: Task) -> Callable[[Params, str], list[float]]:
    """Returns a function like `evaluator`'s: stacked parameters -> a loss of each."""
    step = jax.jit(jax.vmap(_batch(task, ONE), in_axes=(0, 0, None)), donate_argnums=1)

    def evaluate(params: Params, split: str) -> list[float]:
        count = len(jax.tree.leaves(params)[0])
        memory = jax.tree.map(lambda x: jnp.stack([x] * count), task.memory(split))
        done = []
        for batch in task.batches(split):
            memory, result = step(params, memory, batch)
            _wait_for_the_last_but_one(done, result)
        losses, weights = np.array(jax.device_get(done), np.float64).swapaxes(0, 1)
        return ((losses * weights).sum(0) / weights.sum(0)).tolist()

    return evaluate


def _batch(task: Task, layout: Layout) -> Callable[..., Any]:
    """Returns the function of a batch: the carries after it, its loss and weight."""

    def one(params: Params, memory: Memory, batch: Batch) -> Any:
        key = jax.random.key(0)  # no randomness is drawn when train is False
        loss, outcome = task.loss(layout.whole(params), memory, batch, key, False)
        return layout.rows(outcome.memory), (loss, outcome.weight)

    return one


def _wait_for_the_last_but_one(done: list[Any], result: Any) -> None:
    """Adds a result that is on its way, and lets no more than that be on its way."""
    done.append(result)
    if len(done) > 1:
        jax.block_until_ready(done[-2])
