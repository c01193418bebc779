"""The suite of seeds: a row for each number of seeds, and flax's update is the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from launch.suites import seeds
from launch.suites.seeds import Case, Model
from rnnlab.cells import GRU, LSTM, Elman
from rnnlab.interop.flax import from_linen_gru, from_linen_lstm, from_linen_simple
from rnnlab.problems import Adding, TemporalOrder


def test_table_has_a_row_for_each_number_of_seeds(monkeypatch):
    monkeypatch.setattr(seeds, "SECONDS", 1e-4)
    monkeypatch.setattr(seeds, "SEEDS", (1, 3))
    case = Case(Elman(3), TemporalOrder(10), 2)
    lines = seeds.measure(2, [case]).table.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines[4:]]
    assert [row[3] for row in rows] == ["1", "3"]
    assert rows[0][5] == "1.00" and all(float(row[6]) > 0 for row in rows)


@pytest.mark.parametrize(
    ("cell", "own"),
    [
        (Elman(4), from_linen_simple),
        (GRU(4), from_linen_gru),
        (LSTM(4), from_linen_lstm),
    ],
    ids=["elman", "gru", "lstm"],
)
def test_both_sides_compute_the_same(cell, own):
    problem = Adding(6)
    draw = problem.draw(jax.random.key(0), 3)
    model = Model(seeds.CELLS[type(cell)], 4, 1)
    params = model.init(jax.random.key(1), draw.x)["params"]
    (name,) = [name for name in params if "Dense" not in name]
    own = own(params[name])
    network = seeds.Network(cell, problem, 3)
    dense = params["Dense_0"]
    said = network.said({"cell": own, "output": dense}, draw.x)
    wanted = model.apply({"params": params}, draw.x)
    np.testing.assert_allclose(said, wanted, rtol=1e-5, atol=1e-6)
    assert jnp.any(wanted != 0)
