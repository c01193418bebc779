"""One layer of each cell learns a toy problem in a fixed number of steps, or cannot.

Running parity over ten bits: a bit turns the state over, whatever came before. Cells
that are linear in their state and diagonal, with positive or constant coefficients,
cannot do that, and are to fail.
"""

import pytest

from launch.solve import TOYS, Training, solve
from rnnlab.cell import LinearCell
from rnnlab.cells import CELLS

PARITY = TOYS["parity"]
SHORT = Training(features=16, updates=400)
CANNOT = [name for name, make in CELLS.items() if isinstance(make(16), LinearCell)]
SLOW = []
LEARN = [name for name in CELLS if name not in {*CANNOT, *SLOW}]


@pytest.mark.parametrize("name", LEARN)
def test_parity_is_learned(name):
    assert solve(CELLS[name], PARITY, SHORT) < PARITY.solved


@pytest.mark.parametrize("name", CANNOT)
def test_a_linear_cell_cannot_learn_parity(name):
    assert solve(CELLS[name], PARITY, SHORT) > 4 * PARITY.solved
