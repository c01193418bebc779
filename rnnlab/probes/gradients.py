"""What a loss owes to the state at each step: the gradient by the carry, by lag.

    def loss(carry, y):
        return carry.h.sum()  # of each row's last step, whatever its length

    found = by_carry(loss, Deferred(), cell, params, carry, x, lengths=lengths)
    fading = rate(by_lag(found.h))  # of an LSTM's h; found.c is the other path
    reach = memory(by_lag(found))  # in steps

References:
    Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks,
    2013, https://arxiv.org/abs/1211.5063
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.engines import Engine
from rnnlab.engines.engine import shape_of
from rnnlab.sequences import run
from rnnlab.wrappers.tapped import tapped
from rnnlab.wrappers.wrapped import Marked


@dataclasses.dataclass(frozen=True, eq=False)
class Tapped:
    """An engine that adds to the carry before each step; outside all other wrappers.

    It holds arrays, which have no hash: unlike other engines it equals itself alone,
    and is made where it is used, inside of what is compiled.

    Attributes:
        engine: how the steps are executed.
        taps: what is added, leaves [T, B, ...] as the carry's are [B, ...].
    """

    runs: ClassVar[type[Cell[Any]]] = Cell

    engine: Engine
    taps: Any

    def __call__(
        self, cell: Cell[Any], params: Params, carry: Any, x: Any
    ) -> tuple[Any, Any]:
        """Returns the last carry and the outputs, as the engine does."""
        return self.engine(tapped(cell), params, carry, Marked(x, self.taps))


def by_carry(
    loss: Callable[[Any, Any], jax.Array],
    engine: Engine,
    cell: Cell[Any],
    params: Params,
    carry: Any,
    x: Any,
    **marks: Any,
) -> Any:
    """Returns dL/dcarry_t for t = 0 to T: the carry's leaves, [T + 1, B, ...].

    That is what the loss owes to the carry through the steps after t, and through the
    last carry; what y_t alone says is not in it.

    Args:
        loss: from the last carry and all outputs, a real number.
        engine: how the steps are executed: each gives the same.
        cell: any cell, wrapped or not.
        params: its parameters.
        carry: carry_0.
        x: [T, B, I].
        **marks: `lengths`, `valid`, `reset` and `key`, as `rnnlab.sequences.run` has.

    Raises:
        TypeError: a leaf of the carry is of whole numbers, which have no gradient.
    """
    differentiable(cell, carry)
    steps = shape_of(x)[0]
    taps = jax.tree.map(lambda a: jnp.zeros((steps, *a.shape), a.dtype), carry)
    last = jax.tree.map(jnp.zeros_like, carry)

    def tapped_loss(taps, last):
        after, y = run(Tapped(engine, taps), cell, params, carry, x, **marks)
        return loss(jax.tree.map(jnp.add, after, last), y)

    found, at_end = jax.grad(tapped_loss, (0, 1))(taps, last)
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), found, at_end)


def by_lag(gradients: Any, axes: int = 1) -> jax.Array:
    """Returns the norms over units, those of the end first: [T + 1, B], by lag.

    Args:
        gradients: leaves [T + 1, B, ...]: all that `by_carry` gives, or one path of it.
        axes: the batch axes, between time and units, that the norms keep.
    """
    return over_units(gradients, axes)[::-1]


def over_units(tree: Any, axes: int = 1) -> jax.Array:
    """Returns the norm over what follows time and batch: [T, B, ...] -> [T, B].

    Squares are taken of shares of the largest number: else a gradient of 1e-20, which
    is what is looked for, would be zero.
    """
    leaves = [jnp.abs(a) for a in jax.tree.leaves(tree)]
    flat = jnp.concatenate([a.reshape(*a.shape[: 1 + axes], -1) for a in leaves], -1)
    largest = jax.lax.stop_gradient(jnp.max(flat, axis=-1, keepdims=True))
    known = (largest > 0) & jnp.isfinite(largest)
    unit = jnp.where(known, largest, 1)
    total = jnp.sum((flat / unit) ** 2, axis=-1)
    some = total != 0  # a NaN is shown
    return jnp.where(some, unit[..., 0] * jnp.sqrt(jnp.where(some, total, 1)), 0)


def rate(norms: jax.Array) -> jax.Array:
    """Returns the factor by which norms [L, ...] change from a lag to the next, [...].

    The line through their logarithms by least squares. Lags where a norm is zero or not
    finite are left out; where fewer than two remain, NaN.
    """
    norms = norms.astype(jnp.promote_types(norms.dtype, "float32"))
    lags = jnp.arange(len(norms), dtype=norms.dtype)
    lags = lags.reshape(-1, *(1,) * (norms.ndim - 1))
    known = jnp.isfinite(norms) & (norms > 0)
    logs = jnp.log(jnp.where(known, norms, 1))
    count = jnp.sum(known, axis=0)
    centred = jnp.where(known, lags - jnp.sum(known * lags, axis=0) / count, 0)
    return jnp.exp(jnp.sum(centred * logs, axis=0) / jnp.sum(centred**2, axis=0))


def memory(norms: jax.Array) -> jax.Array:
    """Returns the lags over which norms [L, ...] fall to 1/e for good, [...].

    Counted from the first lag whose norm is not zero, to where they are last as large
    as 1/e of the norm there; between two lags along the line through their logarithms,
    so that for a pure decay it is -1 / log(rate). A dip on the way does not count.
    Where norms never fall that far, L - 1: the length of the sequence, for what
    `by_lag` gives of `by_carry`. NaN where all are zero.
    """
    norms = norms.astype(jnp.promote_types(norms.dtype, "float32"))
    lags = jnp.arange(len(norms)).reshape(-1, *(1,) * (norms.ndim - 1))
    first = jnp.argmax(norms > 0, axis=0)
    bound = jnp.take_along_axis(norms, first[None], 0)[0] / jnp.e
    last = jnp.max(jnp.where(norms >= bound, lags, 0), axis=0)
    after = jnp.minimum(last + 1, len(norms) - 1)
    here, there = (jnp.take_along_axis(norms, k[None], 0)[0] for k in (last, after))
    part = jnp.log(here / bound) / jnp.log(here / there)  # 0 where the next is zero
    found = jnp.where(after > last, last - first + part, len(norms) - 1)
    return jnp.where(bound > 0, found, jnp.nan)


def differentiable(cell: Cell[Any], carry: Any) -> None:
    """Raises TypeError unless every leaf of the carry has a derivative."""
    for leaf in jax.tree.leaves(carry):
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            raise TypeError(
                f"A probe needs a carry of real or complex numbers, got a leaf of"
                f" {leaf.dtype} from {cell}; keep such counts in a floating dtype."
            )
