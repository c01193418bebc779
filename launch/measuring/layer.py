"""One layer on an engine, compiled: what suites of `launch.bench` time and weigh."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from launch.measuring.turns import Run
from rnnlab.cell import Cell
from rnnlab.engines import Engine


def outputs(apply: Callable[[Any, jax.Array], jax.Array]) -> Any:
    """Returns the jitted function of params, x and w that gives the sum of y * w."""
    return jax.jit(lambda params, x, w: (apply(params, x) * w).sum())


def gradients(apply: Callable[[Any, jax.Array], jax.Array]) -> Any:
    """Returns the jitted function of params, x and w that a step is.

    It gives the sum of y * w, and its gradients by params and x.
    """

    def loss(params, x, w):
        return (apply(params, x) * w).sum()

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))


def on(engine: Engine, cell: Cell[Any]) -> Callable[[Any, jax.Array], jax.Array]:
    """Returns y of (params, x), [T, B, I] -> [T, B, H], from the cell's first carry."""
    return lambda params, x: engine(cell, params, cell.initial(x.shape[1:-1]), x)[1]


def arguments(cell: Cell[Any], steps: int, batch: int) -> tuple[Any, Any, Any]:
    """Returns params, x and w, [T, B, H] each and normal, on the device."""
    features = cell.features
    x, w = np.random.default_rng(0).standard_normal(
        (2, steps, batch, features), np.float32
    )
    return jax.device_put((cell.init(jax.random.key(0), features), x, w))


def call(step: Callable[..., Any], arguments: tuple[Any, Any, Any]) -> None:
    """Runs a compiled step and waits for it."""
    jax.block_until_ready(step(*arguments))


def step(engine: Engine, cell: Cell[Any], steps: int, batch: int) -> Run:
    """Returns a compiled step, forward and backward, that waits for its end."""
    given = arguments(cell, steps, batch)
    program = gradients(on(engine, cell)).lower(*given).compile()
    return functools.partial(call, program, given)
