"""The benchmark's layer in equinox, which has cells for one row and no layers."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

CELLS = {"lstm": eqx.nn.LSTMCell, "gru": eqx.nn.GRUCell}


def layer(cell: str, x: jax.Array) -> tuple[Any, Callable[..., Any]]:
    """Returns parameters, and y of (parameters, x): [T, B, H] -> [T, B, H].

    The parameters are the cell itself, whose leaves are all arrays, so that JAX's own
    `jit` and `grad` take it.
    """
    features = x.shape[-1]
    params = CELLS[cell](features, features, key=jax.random.key(0))

    def apply(params, x):
        def step(carry, x_t):
            carry = jax.vmap(params)(x_t, carry)
            return carry, carry[0] if cell == "lstm" else carry

        h = jnp.zeros_like(x[0])
        return jax.lax.scan(step, (h, h) if cell == "lstm" else h, x)[1]

    return params, apply
