"""A linear recurrence, chunk after chunk in turn, the steps of a chunk at once.

Between `Scan`, which does the least work, and `Associative`, which takes the fewest
rounds.
"""

import dataclasses
from typing import Any, ClassVar

from rnnlab.cell import Cell, LinearCell, Params
from rnnlab.engines.associative import states
from rnnlab.engines.engine import Carry, by_chunk, project, ready


@dataclasses.dataclass(frozen=True)
class Chunked:
    """Runs a LinearCell: sequential over chunks, parallel inside each.

    Attributes:
        chunk: steps of a chunk.
    """

    runs: ClassVar[type[Cell[Any]]] = LinearCell

    chunk: int = 64

    def __post_init__(self):
        if self.chunk < 1:
            raise ValueError(
                f"Chunked needs a chunk of at least 1 step, got {self.chunk};"
                f" leave it out for the default."
            )

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`.

        Raises:
            TypeError: the cell is not a LinearCell.
        """
        params = ready(self, cell, params, carry, x)
        return _run(cell, params, carry, project(cell, params, carry, x), self.chunk)


def _run(cell: Any, params: Params, carry: Any, u: Any, chunk: int) -> tuple[Any, Any]:
    """Returns the last state and the outputs of all steps."""

    def states_of(h, coefficients):
        a, b = coefficients
        h = states(a, b, h)
        return h[-1], h

    carry, h = by_chunk(states_of, carry, cell.coefficients(params, u), chunk)
    return carry, cell.readout(params, h, u)
