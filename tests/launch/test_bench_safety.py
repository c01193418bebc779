"""The suite of safety: a row for each model, with shares of a step."""

from launch.suites import safety
from launch.suites.lm import Shape


def test_table_has_a_row_for_each_model(monkeypatch):
    monkeypatch.setattr(safety, "SECONDS", 1e-4)
    shapes = [Shape(2, 4, 3, 5)]
    (*_, row) = safety.measure(2, shapes).table.splitlines()
    name, step, checks, read, size, save, saves = row.strip("| ").split(" | ")
    assert name == "2, 4, 3, 5" and float(step) > 0
    shares = [each.partition(" %")[0] for each in (checks, read, saves)]
    assert float(shares[1]) > 0 and len(shares) == 3
    assert (float(size), float(save)) >= (0, -1000)
