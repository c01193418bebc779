"""One layer of each cell learns a toy problem in a fixed number of steps, or cannot.

Running parity over ten bits: a bit turns the state over, whatever came before. Cells
that are linear in their state, with coefficients that are positive or the same at each
step, cannot do that. The sum of two marked numbers among fifty: what is to be kept is
decided by the input, and kept for long. The catalogue has both for each cell.
"""

import pytest

from launch.solve import TOYS, Training, solve
from rnnlab.cells import CELLS

PARITY, ADDING = TOYS["parity"], TOYS["adding"]
SHORT, LONG = Training(features=16, updates=400), Training(features=16, updates=800)
CANNOT = ["linear_sru", "lru", "mingru", "minlstm", "positive_mingru"]
CANNOT += ["positive_minlstm", "qrnn", "rg_lru", "s5"]  # parity, that is
OWN = {  # cells that take longer, or another rate, for parity
    "clockwork": LONG._replace(features=32, updates=1000),
    "irnn": LONG._replace(features=32, rate=3e-3, updates=1000),
    "tape_rnn": LONG._replace(updates=1000),
}
ADD = {
    "cornn": LONG._replace(rate=3e-2, updates=3500),
    "gated_antisymmetric": LONG,
    "linear_sru": LONG,
    "mingru": LONG,
    "minlstm": LONG,
    "mlstm": SHORT,
    "rg_lru": LONG,
    "sru": LONG,
}
BEGIN = {  # cells that are on the way after as much: half of what no memory leaves
    "antisymmetric": LONG._replace(rate=3e-3, updates=4000),
    "exprnn": LONG._replace(updates=1500),
    "unitary": LONG._replace(updates=2000),
}
# Neither, alone: a recurrence that is not trained, units that do not see each other.
NEITHER = ["echo_state", "indrnn"]
LEARN = sorted({*CELLS} - {*CANNOT, *ADD, *BEGIN, *NEITHER})


@pytest.mark.parametrize("name", LEARN)
def test_parity_is_learned(name):
    assert solve(CELLS[name], PARITY, OWN.get(name, SHORT)) < PARITY.solved


@pytest.mark.parametrize("name", CANNOT)
def test_a_linear_cell_cannot_learn_parity(name):
    assert solve(CELLS[name], PARITY, SHORT) > 4 * PARITY.solved


@pytest.mark.parametrize("name", ADD)
def test_adding_is_learned(name):
    assert solve(CELLS[name], ADDING, ADD[name]) < ADDING.solved


@pytest.mark.parametrize("name", BEGIN)
def test_adding_is_begun(name):
    assert solve(CELLS[name], ADDING, BEGIN[name]) < 1 / 12
