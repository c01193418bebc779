"""All steps of a linear recurrence at once, in the logarithm of T rounds.

Two steps h -> a h + b make one of the same kind, a_2 a_1 h + (a_2 b_1 + b_2), so any
grouping of the steps gives the same states.

References:
    Blelloch, Prefix sums and their applications, 1990,
    https://www.cs.cmu.edu/~guyb/papers/Ble93.pdf
    Martin, Cundy, Parallelizing linear recurrent neural nets over sequence length,
    2018, https://arxiv.org/abs/1709.04057
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, LinearCell, Params
from rnnlab.engines.engine import Carry, project, ready


@dataclasses.dataclass(frozen=True)
class Associative:
    """Runs a LinearCell in parallel over time.

    It does about twice the arithmetic of a loop, and keeps all coefficients.
    """

    runs: ClassVar[type[Cell[Any]]] = LinearCell

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`.

        Raises:
            TypeError: the cell is not a LinearCell.
        """
        params = ready(self, cell, params, carry, x)
        return _run(cell, params, carry, project(cell, params, carry, x))


def _run(cell: Any, params: Params, carry: Any, u: Any) -> tuple[Any, Any]:
    """Returns the last state and the outputs of all steps."""
    a, b = cell.coefficients(params, u)
    h = states(a, b, carry)
    return h[-1], cell.readout(params, h, u)


def states(a: jax.Array, b: jax.Array, h: jax.Array) -> jax.Array:
    """Returns h_1 to h_T of h_t = a_t h_{t-1} + b_t: [T, ...], [T, ...], [...]."""
    b = jnp.concatenate([(a[0] * h + b[0])[None], b[1:]])
    return jax.lax.associative_scan(_join, (a, b))[1]


def _join(first, second):
    """Returns two runs of steps as one."""
    (a_1, b_1), (a_2, b_2) = first, second
    return a_2 * a_1, a_2 * b_1 + b_2
