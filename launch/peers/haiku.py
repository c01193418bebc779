"""The benchmark's layer in haiku."""

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax

CELLS = {"lstm": hk.LSTM, "gru": hk.GRU}


def layer(cell: str, x: jax.Array) -> tuple[Any, Callable[..., Any]]:
    """Returns parameters, and y of (parameters, x): [T, B, H] -> [T, B, H]."""

    def run(x):
        core = CELLS[cell](x.shape[-1])
        return hk.dynamic_unroll(core, x, core.initial_state(x.shape[1]))[0]

    init, apply = hk.without_apply_rng(hk.transform(run))
    return jax.jit(init)(jax.random.key(0), x), apply
