"""LogSpace against a loop, and the cells that it runs."""

import jax
import numpy as np
import pytest
from cases import cast
from one_cell import moved, near, run, slopes
from sizes import H

from rnnlab.cell import LinearCell, PositiveCell
from rnnlab.cells.positive import PositiveMinGRU, PositiveMinLSTM
from rnnlab.cells.sru import LinearSRU
from rnnlab.engines import LogSpace, Scan
from rnnlab.wrappers import zoneout

POSITIVE = [PositiveMinGRU(H), PositiveMinLSTM(H)]


@pytest.mark.parametrize("shift", [-6.0, 8.0])  # a near 1, b small; and a near 0
@pytest.mark.parametrize("cell", POSITIVE, ids=str)
def test_log_space_agrees_with_a_loop_over_4096_steps(cell, shift):
    params, carry, x = moved(cell, 4096)
    gate = np.r_[shift * np.ones(H), np.zeros(len(params["bias"]) - H)]
    if isinstance(cell, PositiveMinLSTM):
        gate = -gate  # the first block is f, not z
    inputs = cast((params | {"bias": params["bias"] + gate}, carry, x), "float32")
    near(run(LogSpace(), cell, *inputs), run(Scan(), cell, *inputs), 1e-4, 1e-6)


@pytest.mark.parametrize("cell", POSITIVE, ids=str)
def test_log_space_has_the_gradients_of_a_loop(cell):
    with jax.enable_x64(True):
        for sign in (-1.0, 0.0):  # nothing asks for a logarithm of the carry
            params, carry, x = moved(cell, 5)
            inputs = cast((params, sign * np.abs(carry), x), "float64")
            near(
                slopes(LogSpace(), cell, *inputs),
                slopes(Scan(), cell, *inputs),
                1e-10,
                1e-12,
            )


@pytest.mark.parametrize("cell", POSITIVE, ids=str)
def test_positive_cells_stay_positive_and_finite_under_great_gates(cell):
    params, _, x = moved(cell, 5)
    great = cast((params, np.zeros((2, H)), 100 * x), "float32")
    _, y = run(LogSpace(), cell, *great)
    near(y, run(Scan(), cell, *great)[1], 1e-4, 1e-6)
    assert np.all(y >= 0) and np.isfinite(y).all()
    for leaf in jax.tree.leaves(slopes(LogSpace(), cell, *great)):
        assert np.isfinite(leaf).all()


def test_log_space_refuses_other_cells():
    cell = LinearSRU(H)
    with pytest.raises(TypeError, match=r"LogSpace.*PositiveCell.*LinearSRU.*Scan\(\)"):
        LogSpace()(cell, *moved(cell, 1))
    wrapped = zoneout(PositiveMinGRU(H), 0.5)  # its a and b may be zero
    assert isinstance(wrapped, LinearCell) and not isinstance(wrapped, PositiveCell)
