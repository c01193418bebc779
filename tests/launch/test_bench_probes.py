"""The suite of probes: a row for each model, whose share follows from its ratio."""

import pytest

from launch.suites import probes
from launch.suites.lm import Shape


def test_table_has_a_row_for_each_model(monkeypatch):
    monkeypatch.setattr(probes, "SECONDS", 1e-4)
    shapes = [Shape(2, 4, 3, 5)]
    (*_, row) = probes.measure(2, shapes).table.splitlines()
    name, step, probe, ratio, share = row.strip("| ").split(" | ")
    assert name == "2, 4, 3, 5" and float(step) > 0 and float(probe) > 0
    wanted = float(ratio) / (probes.EVERY + float(ratio))
    assert float(share.rstrip("%")) / 100 == pytest.approx(wanted, abs=2e-3)
