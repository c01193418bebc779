"""A cell's step as a map of real vectors: what a solver over whole trajectories sees.

The carry of one row is a vector z of N real coordinates, a complex number two of them,
and a step is z_t = f(z_{t-1}, u_t). Rows do not see each other, so the Jacobian of a
step is one N x N matrix a row.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from rnnlab.cell import Cell, Params
from rnnlab.wrappers import inside


@dataclasses.dataclass(frozen=True)
class Rows:
    """A cell and what its carry looks like; the carry's own arrays are not held.

    Attributes:
        cell: what a step computes.
        structure: of the carry.
        shapes: of the carry's leaves in one row.
        dtypes: of the carry's leaves.
    """

    cell: Cell[Any]
    structure: Any
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[Any, ...]

    @classmethod
    def of(cls, cell: Cell[Any], carry: Any) -> "Rows":
        """Returns the rows of a carry that fits the cell.

        Raises:
            TypeError: the carry holds numbers that have no derivative, or the cell
                computes rows together.
        """
        if not inside(cell).rows_apart:
            raise TypeError(
                f"Newton() computes each row by itself, which {cell} does not; use"
                f" Scan() for any Cell."
            )
        own = jax.tree.leaves(jax.eval_shape(lambda: cell.initial(())))
        leaves, structure = jax.tree.flatten(carry)
        for leaf in leaves:
            if not jnp.issubdtype(leaf.dtype, jnp.inexact):
                raise TypeError(
                    f"Newton() needs a carry of real or complex numbers, got"
                    f" {leaf.dtype} in that of {cell}; use Scan() for any Cell."
                )
        shapes = tuple(leaf.shape for leaf in own)
        return cls(cell, structure, shapes, tuple(leaf.dtype for leaf in leaves))

    def flat(self, carry: Any) -> jax.Array:
        """Returns the coordinates of a carry, [*batch, N]."""
        parts = []
        for leaf, shape in zip(jax.tree.leaves(carry), self.shapes, strict=True):
            leaf = leaf.reshape(*leaf.shape[: leaf.ndim - len(shape)], -1)
            parts += [leaf.real, leaf.imag] if jnp.iscomplexobj(leaf) else [leaf]
        return jnp.concatenate(parts, axis=-1)

    def tree(self, z: jax.Array) -> Any:
        """Returns the carry of coordinates [*batch, N]."""
        leaves, end = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            parts = 2 if jnp.issubdtype(dtype, jnp.complexfloating) else 1
            start, end = end, end + parts * jax.ShapeDtypeStruct(shape, dtype).size
            leaf = z[..., start:end]
            if parts == 2:
                leaf = lax.complex(*jnp.split(leaf, 2, axis=-1))
            leaves.append(leaf.reshape(*z.shape[:-1], *shape).astype(dtype))
        return jax.tree.unflatten(self.structure, leaves)

    def step(self, params: Params, z: jax.Array, u: Any) -> tuple[jax.Array, Any]:
        """Returns the next coordinates [*batch, N] and y of one step."""
        carry, y = self.cell.step(params, self.tree(z), u)
        return self.flat(carry), y

    def steps(self, params: Params, z: jax.Array, u: Any) -> tuple[jax.Array, Any]:
        """Returns what `step` does of all steps at once.

        Args:
            params: of the cell.
            z: [T, *batch, N], before each step.
            u: leaves [T, *batch, ...].
        """
        return _each(z, lambda z, u: self.step(params, z, u))(z, u)

    def jacobian(self, params: Params, z: jax.Array, u: Any) -> jax.Array:
        """Returns d step / d z of all steps, [T, *batch, N, N]."""
        of_row = jax.jacfwd(lambda z, u: self.step(params, z, u)[0])
        return _each(z, of_row)(z, u)

    def diagonal(self, params: Params, z: jax.Array, u: Any) -> jax.Array:
        """Returns the diagonal of `jacobian`, [T, *batch, N].

        One coordinate after the other, in memory of [T, *batch, N]: to compute all
        matrices and drop the rest was slower too.
        """
        _, push = jax.linearize(lambda z: self.steps(params, z, u)[0], z)
        count = z.shape[-1]

        def one(i):
            tangent = jnp.broadcast_to(jax.nn.one_hot(i, count, dtype=z.dtype), z.shape)
            return push(tangent)[..., i]

        return jnp.moveaxis(lax.map(one, jnp.arange(count)), 0, -1)


def _each(z: jax.Array, of_row: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function of one row as one of all axes of `z` but the last."""
    for _ in range(z.ndim - 1):
        of_row = jax.vmap(of_row)
    return of_row
