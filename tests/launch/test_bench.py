"""The benchmarks: equal work on each side, tables in their place."""

import math
import sys

import jax
import numpy as np
import pytest

from launch import bench, bench_lm, machine, peers_flax
from launch.bench import replace
from rnnlab.errors import InputError

peers_torch = pytest.importorskip("launch.peers_torch")

SHAPE = bench_lm.Shape(batch=4, steps=5, features=8, vocab_size=11)


def sides():
    batches = bench_lm.stream(SHAPE)
    return {
        "rnnlab": bench_lm.ours(SHAPE, batches),
        "flax": bench_lm.peer(peers_flax.trainer, SHAPE, batches),
        "torch": bench_lm.peer(peers_torch.trainer, SHAPE, batches),
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
    H, V, layers = SHAPE.features, SHAPE.vocab_size, bench_lm.LAYERS
    wanted = 2 * V * H + V + layers * (8 * H * H + 4 * H)
    model = peers_flax.LanguageModel(V, H, layers)
    tokens = np.zeros((1, 1), np.int32)
    params = model.init(jax.random.key(0), model.initial(1), tokens)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == wanted
    theirs = peers_torch.LanguageModel(V, H, layers).parameters()
    # torch has a second bias in each layer
    assert sum(p.numel() for p in theirs) == wanted + layers * 4 * H


def test_operations_are_those_of_the_products():
    one = bench_lm.Shape(batch=1, steps=1, features=2, vocab_size=3)
    assert one.operations == 3 * 2 * (2 * (2 + 2) * 4 * 2 + 2 * 3)


def test_in_turns_calls_each_side_as_often_as_asked():
    calls = []
    sides = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    taken = bench_lm.in_turns(sides, repeats=3, seconds=1e-9)
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 3, "b": 3}
    assert "".join(calls[-4:]) == "aabb"


def test_table_has_a_row_for_each_side_and_shape(monkeypatch):
    monkeypatch.setattr(bench_lm, "SECONDS", 1e-3)
    monkeypatch.setattr(machine, "product", lambda: lambda: None)
    monkeypatch.setattr(machine, "copy", lambda: lambda: None)
    monkeypatch.setattr(peers_torch, "product", lambda: lambda: None)
    rows = bench_lm.table(2, [SHAPE]).splitlines()[-3:]
    assert [row.split(" | ")[1] for row in rows] == ["rnnlab", "flax", "torch"]
    assert rows[0].split(" | ")[4] == "1.00"


def test_replace_changes_what_stands_between_the_markers():
    text = "a\n<!-- bench:lm -->\nold\n<!-- /bench:lm -->\nb\n"
    new = replace(text, "lm", "new")
    assert new == "a\n<!-- bench:lm -->\nnew\n<!-- /bench:lm -->\nb\n"
    assert replace(new, "lm", "new") == new


@pytest.mark.parametrize("text", ["", "<!-- bench:lm -->", "<!-- /bench:lm -->"])
def test_replace_needs_both_markers(text):
    with pytest.raises(InputError, match="markers <!-- bench:lm -->"):
        replace(text, "lm", "new")


def test_every_suite_has_a_table():
    for module in bench.SUITES.values():
        assert callable(pytest.importorskip(module).table)


def test_description_names_commit_machine_and_versions():
    line = machine.describe()
    for word in ("Commit ", "cores", "jax ", "allocator"):
        assert word in line


def test_a_missing_peer_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "launch.peers_torch")
    monkeypatch.delattr("launch.peers_torch")
    with pytest.raises(InputError, match=r"needs the extra peers, but torch"):
        bench_lm.table(1, [SHAPE])
