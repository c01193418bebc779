"""The mean loss over a whole split, with the carried state."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from rnnlab.training.mesh import ONE, Layout
from rnnlab.training.task import Params, Task

# Of parameters, split, and perhaps whether to stop, which is asked at each batch.
Evaluate = Callable[..., float | None]


def evaluator(task: Task, layout: Layout = ONE) -> Evaluate:
    """Returns a function: the mean loss in nats a target, None if it was to stop.

    Each target counts once, whatever the size of the last batch. The sum is taken on
    the host in double precision, one batch late, so that the device never waits.
    """

    @functools.partial(jax.jit, donate_argnums=1)
    def step(params, memory, batch):
        key = jax.random.key(0)  # no randomness is drawn when train is False
        loss, outcome = task.loss(layout.whole(params), memory, batch, key, False)
        return layout.rows(outcome.memory), (loss, outcome.weight)

    def evaluate(
        params: Params, split: str, stop: Callable[[], bool] = lambda: False
    ) -> float | None:
        def first():  # donated: no buffer twice
            return jax.tree.map(jnp.copy, task.memory(split))

        memory = layout.memory(first)
        done = []
        for batch in task.batches(split):
            if stop():
                return None
            memory, result = step(params, memory, layout.batch(task, batch))
            done.append(result)
            if len(done) > 1:
                jax.block_until_ready(done[-2])
        pairs = [(float(loss), float(weight)) for loss, weight in done]
        return sum(loss * w for loss, w in pairs) / sum(w for _, w in pairs)

    return evaluate
