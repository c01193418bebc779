"""The loop of Newton's method: correct what is missing until nothing is."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from rnnlab.engines.recurrences import solved

ERROR = 1e-3  # of a state, by the largest number in it: what may be left to mend


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

    What each step misses may be little and add up to much: a slow cell hardly leaves
    its first guess in one step. So the states converge when the residual is small and
    what is still to mend is, as far as can be told: with the diagonal of J that is the
    next correction, undamped, which costs little; with all of J, where each correction
    leaves less of the error as it does of the residual, the last one times that.

    Attributes:
        tolerance: the residual to reach; None for 8 roundings of 1. What is to mend
            may be that or `ERROR`, the larger, since rounding adds up over the steps.
        limit: iterations to take at most; None for as many as there are steps.
    """

    tolerance: float | None
    limit: int | None

    def __call__(
        self,
        missing: Callable[[jax.Array], jax.Array],
        jacobian: Callable[[jax.Array], jax.Array],
        correction: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
        otherwise: Callable[[], jax.Array],
        x: jax.Array,
        r: jax.Array,
        unit: jax.Array | float,
    ) -> tuple[jax.Array, Report]:
        """Returns x [T, *batch, N] with next to nothing missing, and the report.

        Args:
            missing: of x, r: what a step from the state before has more than x.
            jacobian: of x, of each step by the state before it, or its diagonal.
            correction: of that, r and the size of r, what to add to x.
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

        def done(residual, to_mend):
            return (residual <= tolerance) & (to_mend <= max(tolerance, ERROR))

        def goes_on(state):
            k, _, _, residual, to_mend = state
            return ~done(residual, to_mend) & (k < limit)

        def turn(state):
            k, x, r, residual, _ = state
            j = jacobian(x)
            better = x + correction(j, r, residual)
            # Over many steps of an unstable trajectory J overflows. A plain step there
            # makes one more state exact as well.
            plain = jnp.nan_to_num(x + r, posinf=0, neginf=0)
            better = jnp.where(jnp.isfinite(better), better, plain)
            r = missing(better)
            left = size(better, r)
            if j.ndim == r.ndim:
                to_mend = size(better, solved(j, r))
            else:
                to_mend = size(better, better - x) * jnp.minimum(left / residual, 1)
            return k + 1, better, r, left, to_mend

        first = size(x, r)
        limit = jnp.where(jnp.isfinite(first), limit, 0)  # NaN in: no iteration helps
        unknown = jnp.where(first > 0, jnp.inf, 0.0).astype(first.dtype)
        start = jnp.int32(0), x, r, first, unknown
        k, x, _, residual, to_mend = lax.while_loop(goes_on, turn, start)
        report = Report(k, residual, done(residual, to_mend))
        return lax.cond(report.converged, lambda: x, otherwise), report
