"""The benchmark's layer in flax's nnx, split into arrays and structure under `jit`."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

CELLS = {"lstm": nnx.OptimizedLSTMCell, "gru": nnx.GRUCell}


def layer(cell: str, x: jax.Array) -> tuple[Any, Callable[..., Any]]:
    """Returns parameters, and y of (parameters, x): [T, B, H] -> [T, B, H].

    `nnx.jit` and `nnx.grad` would take the module apart at each call; here that is
    done once, and what is differentiated and compiled is a function of arrays.
    """
    features = x.shape[-1]
    rngs = nnx.Rngs(0)
    module = nnx.RNN(CELLS[cell](features, features, rngs=rngs), time_major=True)
    structure, params, rest = nnx.split(module, nnx.Param, ...)

    def apply(params, x):
        # A copy: the random state in `rest` counts up in each trace.
        return nnx.merge(structure, params, rest, copy=True)(x)

    return params, apply
