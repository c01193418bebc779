"""The benchmarks: equal work on each side, tables in their place."""

import functools
import math
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from launch import bench
from launch.measuring import machine, turns
from launch.peers import load
from launch.suites import lm
from rnnlab.errors import InputError

pytest.importorskip("torch")
LIBRARIES = load("lm", "flax", "torch")

SHAPE = lm.Shape(batch=4, steps=5, features=8, vocab_size=11)


def sides():
    batches = lm.stream(SHAPE)
    return {
        "rnnlab": lm.ours(SHAPE, batches),
        "flax": lm.peer(LIBRARIES["flax"].trainer, SHAPE, batches),
        "torch": lm.peer(LIBRARIES["torch"].trainer, SHAPE, batches),
    }


@pytest.mark.parametrize("name", ["rnnlab", "flax", "torch"])
def test_each_side_learns_what_there_is_to_learn(name):
    run = sides()[name]
    losses = [run() for _ in range(300)]
    # Random tokens: the best there is, and where a new model starts, is log V.
    assert losses[0] == pytest.approx(math.log(11), abs=0.5)
    assert np.mean(losses[-50:]) == pytest.approx(math.log(11), abs=0.25)
    assert len(set(losses)) > 250  # a new batch each step


def test_sides_have_the_same_parameters():
    H, V, layers = SHAPE.features, SHAPE.vocab_size, lm.LAYERS
    wanted = 2 * V * H + V + layers * (8 * H * H + 4 * H)
    model = LIBRARIES["flax"].LanguageModel(V, H, layers)
    tokens = np.zeros((1, 1), np.int32)
    params = model.init(jax.random.key(0), model.initial(1), tokens)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == wanted
    theirs = LIBRARIES["torch"].LanguageModel(V, H, layers).parameters()
    # torch has a second bias in each layer
    assert sum(p.numel() for p in theirs) == wanted + layers * 4 * H


def test_operations_are_those_of_the_products():
    one = lm.Shape(batch=1, steps=1, features=2, vocab_size=3)
    assert one.operations == 3 * 2 * (2 * (2 + 2) * 4 * 2 + 2 * 3)


@pytest.mark.parametrize(("seconds", "turn"), [(0.5, "ab"), (3.0, "aaaabbbb")])
def test_in_turns_calls_each_side_as_often_as_fills_its_time(
    monkeypatch, seconds, turn
):
    calls = []
    monkeypatch.setattr(turns.time, "perf_counter", lambda: float(len(calls)))
    sides = {name: functools.partial(calls.append, name) for name in "ab"}
    taken = turns.in_turns(sides, repeats=3, seconds=seconds)
    assert {name: list(numbers) for name, numbers in taken.items()} == {
        "a": [1.0, 1.0, 1.0],
        "b": [1.0, 1.0, 1.0],
    }
    assert "".join(calls) == "aaabbb" + 3 * turn


def test_table_has_a_row_for_each_side_and_shape(monkeypatch):
    monkeypatch.setattr(lm, "SECONDS", 1e-3)
    monkeypatch.setattr(machine, "product", lambda: lambda: None)
    monkeypatch.setattr(machine, "copy", lambda: lambda: None)
    monkeypatch.setattr(LIBRARIES["torch"], "product", lambda: lambda: None)
    outcome = lm.measure(1, [SHAPE])
    rows = [row.split(" | ") for row in outcome.table.splitlines()[-3:]]
    assert [row[1] for row in rows] == ["rnnlab", "flax", "torch"]
    assert rows[0][4] == "1.00"
    # The table and the data say the same.
    timed = [each for each in outcome.measurements if each.unit != "B"]
    held = {
        each.what["code"]: each for each in outcome.measurements if each.unit == "B"
    }
    assert held.keys() == {"rnnlab", "flax"}
    assert min(each.median for each in held.values()) > 4 * SHAPE.tokens * 11
    for row, seconds, ratio in zip(rows, timed[::2], timed[1::2], strict=True):
        assert seconds.what == ratio.what == {"model": str(SHAPE), "code": row[1]}
        assert (seconds.unit, ratio.unit) == ("s", "times rnnlab")
        assert seconds.low <= seconds.median <= seconds.high
        rate = float(row[2].replace(",", ""))
        assert rate * seconds.median == pytest.approx(SHAPE.tokens, rel=0.01)
        assert float(row[4]) == pytest.approx(ratio.median, rel=1e-3, abs=0.006)


def test_every_suite_measures_and_has_a_place():
    assert set(bench.COMPARED) <= set(bench.SUITES)
    files = Path(bench.__file__).parent.glob("suites/[!_]*.py")
    assert {file.stem for file in files} == set(bench.SUITES)
    for suite in bench.SUITES:
        module = pytest.importorskip(bench.module(suite))
        assert callable(module.measure)
        assert ("sides" in vars(module)) == (suite in bench.COMPARED)
        bench.check(suite, None, write=True)


def test_description_names_commit_machine_and_versions():
    line = machine.describe()
    for word in ("Commit ", "cores", "jax ", "allocator"):
        assert word in line


def test_a_missing_peer_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "launch.peers.torch")
    monkeypatch.delattr("launch.peers.torch")
    with pytest.raises(InputError, match=r"needs the extra peers, but torch"):
        lm.measure(1, [SHAPE])
