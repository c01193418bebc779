"""One layer of each cell learns a toy problem in a fixed number of steps, or cannot.

Running parity over ten bits: a bit turns the state over, whatever came before. Cells
that are linear in their state, and diagonal with coefficients that are positive or the
same at each step, cannot do that. The catalogue has more problems and longer training.
"""

import pytest

from launch.solve import TOYS, Training, solve
from rnnlab.cells import CELLS

PARITY = TOYS["parity"]
SHORT = Training(features=16, updates=400)
CANNOT = ["lru", "mingru", "minlstm"]
LINEAR = ["linear_sru", "positive_mingru", "positive_minlstm", "qrnn", "rg_lru", "s5"]
# Not within so few updates: units that do not see each other or only turn, clocks,
# small steps, a fixed recurrence, gates that do not see the state, a tape.
SLOW = ["antisymmetric", "clockwork", "cornn", "echo_state", "exprnn"]
SLOW += ["gated_antisymmetric", "indrnn", "irnn", "mlstm", "sru", "tape_rnn", "unitary"]
LEARN = sorted({*CELLS} - {*CANNOT, *LINEAR, *SLOW})


@pytest.mark.parametrize("name", LEARN)
def test_parity_is_learned(name):
    assert solve(CELLS[name], PARITY, SHORT) < PARITY.solved


@pytest.mark.parametrize("name", CANNOT)
def test_a_linear_cell_cannot_learn_parity(name):
    assert solve(CELLS[name], PARITY, SHORT) > 4 * PARITY.solved
