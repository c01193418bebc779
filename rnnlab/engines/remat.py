"""A scan that keeps one carry a chunk and computes the steps between again.

The backward pass of a plain scan needs what every step left behind. Here it needs the
carries between chunks and, for one chunk at a time, what its steps left behind: with
chunks of the square root of T steps, memory of the square root of T, for one more
forward pass.

References:
    Chen et al., Training deep nets with sublinear memory cost, 2016,
    https://arxiv.org/abs/1604.06174
"""

import dataclasses
import math
from typing import Any, ClassVar

import jax

from rnnlab.cell import Cell, Params
from rnnlab.engines.engine import Carry, by_chunk, project, ready, shape_of


@dataclasses.dataclass(frozen=True)
class Remat:
    """Runs any cell, under every transformation of JAX, in little memory.

    The input is projected a chunk at a time too: only x and y are whole.

    Attributes:
        chunk: steps between carries that are kept; None for about the square root of
            T. Where it does not divide T, x and y are copied once more.
    """

    runs: ClassVar[type[Cell[Any]]] = Cell

    chunk: int | None = None

    def __post_init__(self):
        if self.chunk is not None and self.chunk < 1:
            raise ValueError(
                f"Remat needs a chunk of at least 1 step, got {self.chunk};"
                f" leave it out for the square root of the length."
            )

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`."""
        params = ready(self, cell, params, carry, x)

        @jax.checkpoint
        def run(carry, x):
            u = project(cell, params, carry, x)
            return jax.lax.scan(lambda c, u_t: cell.step(params, c, u_t), carry, u)

        return by_chunk(run, carry, x, self.chunk or _near_root(shape_of(x)[0]))


def _near_root(steps: int) -> int:
    """Returns the divisor nearest below the square root, or the root if that is half.

    A remainder would cost more than the chunks save: with it x and y are copied.
    """
    root = math.isqrt(steps)
    near = (d for d in range(1, root + 1) if steps % d == 0 and 4 * d * d >= steps)
    return max(near, default=root)
