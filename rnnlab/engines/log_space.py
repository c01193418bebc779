"""All steps of a positive linear recurrence at once, on logarithms.

With A_t = log a_1 + ... + log a_t,

    h_t = exp(A_t) h_0 + sum_s exp(A_t - A_s + log b_s)

The sum is an associative scan of the same rounds as in `Associative`, with logaddexp
for the sum and + for the product: nothing underflows on the way. h_0 may be of any
sign, and has no logarithm taken.

References:
    Heinsen, Efficient parallelization of a ubiquitous sequential computation, 2023,
    https://arxiv.org/abs/2311.06281
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params, PositiveCell
from rnnlab.engines.engine import Carry, project, ready


@dataclasses.dataclass(frozen=True)
class LogSpace:
    """Runs a PositiveCell in parallel over time, on logarithms."""

    runs: ClassVar[type[Cell[Any]]] = PositiveCell

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`.

        Raises:
            TypeError: the cell is not a PositiveCell.
        """
        params = ready(self, cell, params, carry, x)
        return _run(cell, params, carry, project(cell, params, carry, x))


def _run(cell: Any, params: Params, carry: Any, u: Any) -> tuple[Any, Any]:
    """Returns the last state and the outputs of all steps."""
    logs = cell.log_coefficients(params, u)
    kept, written = jax.lax.associative_scan(_join, logs)
    h = jnp.exp(kept) * carry + jnp.exp(written)
    return h[-1], cell.readout(params, h, u)


def _join(first, second):
    """Returns two runs of steps as one."""
    (a_1, b_1), (a_2, b_2) = first, second
    return a_2 + a_1, jnp.logaddexp(a_2 + b_1, b_2)
