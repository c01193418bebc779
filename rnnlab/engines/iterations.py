"""The loop of Newton's method: correct what is missing until nothing is."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Report(NamedTuple):
    """How an equation for all steps was solved.

    Attributes:
        iterations: int32, how often all states were corrected.
        residual: the most that a step misses, by the largest number in its state or 1.
        converged: bool; if false, the result is that of one step after the other.
    """

    iterations: jax.Array
    residual: jax.Array
    converged: jax.Array


@dataclasses.dataclass(frozen=True)
class Iterations:
    """When to stop.

    Attributes:
        tolerance: the residual to reach; None for 8 roundings of 1.
        limit: iterations to take at most; None for as many as there are steps.
    """

    tolerance: float | None
    limit: int | None

    def __call__(
        self,
        missing: Callable[[jax.Array], jax.Array],
        correction: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
        otherwise: Callable[[], jax.Array],
        x: jax.Array,
        r: jax.Array,
        unit: jax.Array | float,
    ) -> tuple[jax.Array, Report]:
        """Returns x [T, *batch, N] with next to nothing missing, and the report.

        Args:
            missing: of x, r: what a step from the state before has more than x.
            correction: of x, r and the size of r, what to add to x.
            otherwise: gives x where too much is missing after the last iteration.
            x: the first guess.
            r: what it misses.
            unit: r is measured by the largest number in its state, or by this if more.
        """
        limit = len(x) if self.limit is None else min(self.limit, len(x))
        tolerance = self.tolerance or 8 * float(jnp.finfo(x.dtype).eps)

        def size(x, r):
            largest = jnp.max(jnp.abs(x), axis=-1, keepdims=True)
            return jnp.max(jnp.abs(r) / jnp.maximum(unit, largest))

        def goes_on(state):
            k, _, _, residual = state
            return ~(residual <= tolerance) & (k < limit)

        def turn(state):
            k, x, r, residual = state
            better = x + correction(x, r, residual)
            # Over many steps of an unstable trajectory J overflows. A plain step there
            # makes one more state exact as well.
            plain = jnp.nan_to_num(x + r, posinf=0, neginf=0)
            x = jnp.where(jnp.isfinite(better), better, plain)
            r = missing(x)
            return k + 1, x, r, size(x, r)

        first = size(x, r)
        limit = jnp.where(jnp.isfinite(first), limit, 0)  # NaN in: no iteration helps
        start = jnp.int32(0), x, r, first
        k, x, _, residual = lax.while_loop(goes_on, turn, start)
        report = Report(k, residual, residual <= tolerance)
        return lax.cond(report.converged, lambda: x, otherwise), report
