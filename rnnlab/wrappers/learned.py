"""A carry to start from that is a parameter."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.wrappers.wrapped import Rule, Wrapped, wrap


@dataclasses.dataclass(frozen=True)
class LearnedStart(Rule):
    """Holds the cell's parameters under `cell` and the start under `start`."""

    def init(self, cell: Any, key: jax.Array, in_features: int) -> Params:
        """Returns the cell's parameters, and its initial carry without batch axes."""
        return {"cell": cell.init(key, in_features), "start": cell.initial(())}

    def own(self, params: Params) -> Params:
        """Returns the cell's parameters."""
        return params["cell"]

    def prepare(self, cell: Any, params: Params) -> Params:
        """Returns the parameters with those of the cell prepared."""
        return {**params, "cell": cell.prepare(params["cell"])}

    def start(self, cell: Any, params: Params, batch: Any, dtype: Any) -> Any:
        """Returns the learned carry for each row."""
        like = jax.eval_shape(lambda: cell.initial(batch, dtype))
        return jax.tree.map(
            lambda leaf, like: jnp.broadcast_to(leaf, like.shape).astype(like.dtype),
            params["start"],
            like,
        )


def learned_start(cell: Cell[Any]) -> Wrapped:
    """Returns the cell with a learned start, of the same structure as `cell`.

    It is what `cell.start(params, batch)` gives, and what a reset goes back to.
    """
    return wrap(cell, LearnedStart())
