"""A carry to start from that is a parameter."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.wrappers.wrapped import Rule, Wrapped, wrap


@dataclasses.dataclass(frozen=True)
class LearnedStart(Rule):
    """Holds the cell's parameters under `cell` and the start under `start`.

    A complex start is a pair of real arrays: the gradient of a complex number, as JAX
    has it, points uphill in the imaginary part.
    """

    def init(self, cell: Any, key: jax.Array, in_features: int) -> Params:
        """Returns the cell's parameters, and its initial carry without batch axes."""
        start = jax.tree.map(_parts, cell.initial(()))
        return {"cell": cell.init(key, in_features), "start": start}

    def own(self, params: Params) -> Params:
        """Returns the cell's parameters."""
        return params["cell"]

    def prepare(self, cell: Any, params: Params) -> Params:
        """Returns the parameters with those of the cell prepared."""
        return {**params, "cell": cell.prepare(params["cell"])}

    def start(self, cell: Any, params: Params, batch: Any, dtype: Any) -> Any:
        """Returns the learned carry for each row."""
        like = jax.eval_shape(lambda: cell.initial(batch, dtype))
        return jax.tree.map(_whole, like, params["start"])


def _parts(leaf: jax.Array) -> Any:
    return (leaf.real, leaf.imag) if jnp.iscomplexobj(leaf) else leaf


def _whole(like: jax.ShapeDtypeStruct, leaf: Any) -> jax.Array:
    """Returns a leaf of `_parts` for each row, of the shape and dtype of `like`."""
    if jnp.issubdtype(like.dtype, jnp.complexfloating):
        leaf = jax.lax.complex(*leaf)
    return jnp.broadcast_to(leaf, like.shape).astype(like.dtype)


def learned_start(cell: Cell[Any]) -> Wrapped:
    """Returns the cell with a learned start, of the same structure as `cell`.

    It is what `cell.start(params, batch)` gives, and what a reset goes back to.
    """
    return wrap(cell, LearnedStart())
