"""Products in one precision, the carry in another.

What a step multiplies is cast to the dtype of `compute`; what it carries, and the
arithmetic on it, stays in that of `carry`. The parameters keep the dtype that they
come in, and get their gradients in it.

References:
    Micikevicius et al., Mixed precision training, 2018,
    https://arxiv.org/abs/1710.03740
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, LinearCell, Params, SplitCell
from rnnlab.wrappers.wrapped import Wrapper


class Mixed(Wrapper):
    """A cell in two precisions.

    Attributes:
        cell: the one inside.
        compute: dtype of the products and of y.
        carry: dtype of the carry, and of the arithmetic that makes it.
    """

    cell: Any
    compute: Any
    carry: Any

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns the cell's own."""
        return self.cell.init(key, in_features)

    def initial(self, batch: tuple[int, ...], dtype: Any = None) -> Any:
        """Returns the cell's own, in the dtype of `carry` unless another is given."""
        return self.cell.initial(batch, dtype or self.carry)

    def start(self, params: Params, batch: Any, dtype: Any = None) -> Any:
        """Returns the cell's own, in the dtype of `carry` unless another is given."""
        return self.cell.start(params, batch, dtype or self.carry)

    def prepare(self, params: Params) -> Params:
        """Returns the cell's own, in the dtype that the parameters have."""
        return self.cell.prepare(params)

    def project(self, params: Params, x: Any) -> Any:
        """Returns the cell's own of x, in the dtype of `compute`."""
        return self.cell.project(*cast((params, x), self.compute))


@dataclasses.dataclass(frozen=True)
class MixedCell(Mixed):
    """A cell of no special structure: its whole step is in `compute`."""

    cell: Any
    compute: Any
    carry: Any

    def step(self, params: Params, carry: Any, u: Any) -> tuple[Any, Any]:
        """Returns the next carry and the output."""
        after, y = self.cell.step(*cast((params, carry), self.compute), u)
        return cast(after, self.carry), cast(y, self.compute)


@dataclasses.dataclass(frozen=True)
class MixedSplit(Mixed, SplitCell[Any]):
    """A SplitCell whose products are in `compute` and whose update is in `carry`."""

    cell: Any
    compute: Any
    carry: Any

    def seen(self, params: Params, carry: Any, u: Any) -> Any:
        """Returns the carry as the recurrent product sees it."""
        return self.cell.seen(*cast((params, carry, u), self.carry))

    def recur(self, params: Params, carry: Any) -> Any:
        """Returns the recurrent product."""
        return self.cell.recur(*cast((params, carry), self.compute))

    def update(self, params: Params, carry: Any, u: Any, r: Any) -> tuple[Any, Any]:
        """Returns the next carry and the output."""
        after, y = self.cell.update(*cast((params, carry, u, r), self.carry))
        return after, cast(y, self.compute)


@dataclasses.dataclass(frozen=True)
class MixedLinear(Mixed, LinearCell):
    """A LinearCell whose products are in `compute` and whose recurrence in `carry`."""

    cell: Any
    compute: Any
    carry: Any

    def coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns a and b of h -> a h + b."""
        return self.cell.coefficients(*cast((params, u), self.carry))

    def readout(self, params: Params, h: jax.Array, u: Any) -> Any:
        """Returns the output of a step whose new state is `h`."""
        y = self.cell.readout(*cast((params, h, u), self.compute))
        return cast(y, self.compute)


def mixed(
    cell: Cell[Any], compute: Any = jnp.bfloat16, carry: Any = jnp.float32
) -> Mixed:
    """Returns the cell in two precisions, of the same structure as `cell`.

    Args:
        cell: any cell. One that is neither a SplitCell nor a LinearCell has its whole
            step in `compute`, so that only what it hands on is in `carry`.
        compute: dtype of the products and of y.
        carry: dtype of the carry; complex carries have the precision of float32 or
            float64, whatever is asked for.

    Raises:
        ValueError: a dtype that is not a real floating-point one.
    """
    for name, dtype in (("compute", compute), ("carry", carry)):
        if not jnp.issubdtype(dtype, jnp.floating):
            raise ValueError(
                f"mixed needs a floating-point dtype for {name}, got {dtype!r}; pass"
                f" jnp.bfloat16 or jnp.float32, say."
            )
    dtypes = jnp.dtype(compute), jnp.dtype(carry)
    if isinstance(cell, SplitCell):
        return MixedSplit(cell, *dtypes)
    if isinstance(cell, LinearCell):
        return MixedLinear(cell, *dtypes)
    return MixedCell(cell, *dtypes)


def cast(tree: Any, dtype: Any) -> Any:
    """Returns the tree with its real floating-point leaves in `dtype`."""

    def leaf(leaf):
        real = jnp.issubdtype(leaf.dtype, jnp.floating)
        return leaf.astype(dtype) if real else leaf

    return jax.tree.map(leaf, tree)
