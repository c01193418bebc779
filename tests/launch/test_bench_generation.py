"""The suite of generation: a row for each side and shape, equal work on each."""

import jax
import pytest

from launch import peers
from launch.measuring import machine
from launch.suites import generation
from launch.suites.generation import STEPS, Shape

pytest.importorskip("torch")
TORCH = peers.load("generation", "torch")["torch"]
SHAPE = Shape(batch=2, layers=1, features=4, vocab_size=7)


def test_table_has_a_row_for_each_side(monkeypatch):
    monkeypatch.setattr(generation, "SECONDS", 1e-4)
    monkeypatch.setattr(machine, "product", lambda: lambda: None)
    monkeypatch.setattr(machine, "copy", lambda: lambda: None)
    monkeypatch.setattr(TORCH, "product", lambda: lambda: None)
    outcome = generation.measure(1, [SHAPE])
    rows = [row.strip("| ").split(" | ") for row in outcome.table.splitlines()[-2:]]
    assert [row[:2] for row in rows] == [["2, 1, 4, 7", name] for name in SIDES]
    assert rows[0][4] == "1.00"
    for row, seconds in zip(rows, outcome.measurements[::2], strict=True):
        rate = float(row[2].replace(",", ""))
        assert rate * seconds.median == pytest.approx(2 * STEPS, rel=0.01)


SIDES = ("rnnlab", "torch")


def test_torch_draws_from_its_own_distribution_and_goes_on():
    draw = TORCH.sampler(7, 4, 1, 500)
    first, second = draw(1), draw(2)
    assert first.shape == second.shape == (500,) and (first != second).any()
    assert set(first.tolist()) == set(range(7))


def test_rnnlab_draws_as_many_tokens_a_call():
    run = generation.ours(SHAPE)
    with jax.transfer_guard_device_to_host("allow"):
        run()
        run()


def test_weights_are_those_of_the_products():
    assert SHAPE.weights == 4 * (1 * 8 * 16 + 4 * 7)
