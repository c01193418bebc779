"""The benchmark of engines: its tables, and what `auto` gets from it."""

import importlib
from pathlib import Path

import jax
import pytest

from launch.suites import engines
from launch.suites.engines import Group
from rnnlab.cells import CELLS
from rnnlab.engines import Associative, Deferred, Scan
from rnnlab.engines.auto import Row, from_json

SMALL = (
    Group("Split", ["elman"], (Scan(), Deferred()), 2, (1, 3), guides="elman"),
    Group("Linear", ["mingru"], (Scan(), Associative()), 2, (3,)),
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(engines, "FEATURES", 3)
    monkeypatch.setattr(engines, "SECONDS", 1e-4)


def lines(outcome):
    return [line for line in outcome.table.splitlines() if line.startswith("| ")]


def test_each_engine_has_a_row_at_each_length():
    outcome = engines.measure(2, SMALL)
    rows = [line.split(" | ") for line in lines(outcome)]
    assert [(row[0].removeprefix("| "), row[1], row[2]) for row in rows] == [
        ("cell", "T", "engine"),
        *[("elman", t, str(e)) for t in ("1", "3") for e in (Scan(), Deferred())],
        ("cell", "T", "engine"),
        *[("mingru", "3", str(e)) for e in (Scan(), Associative())],
    ]
    assert [
        [each.what["cell"], f"{each.what['T']}", each.what["engine"]]
        for each in outcome.measurements
    ] == [[row[0].removeprefix("| "), *row[1:3]] for row in rows if row[1] != "T"]
    for row in rows:
        if row[2] == str(Scan()):
            assert row[5] == "1.00" and row[7] == "1.00 |"
            assert float(row[3]) > 0 and float(row[4]) > 0


def test_what_auto_goes_by_keeps_other_backends(monkeypatch):
    backend = jax.default_backend()
    kept = Row("abacus", "split", 7, Deferred(), 0.5)
    old = Row(backend, "split", 7, Deferred(), 0.5)
    monkeypatch.setattr(engines, "measured", lambda: (kept, old))
    ((path, content),) = engines.measure(1, SMALL).files.items()
    package = importlib.import_module("rnnlab.engines")
    assert path == Path(package.__file__).parent / "measured.json" and path.exists()
    first, *rows = from_json(content)
    assert first == kept
    assert [row[:4] for row in rows] == [
        (backend, "split", t, e) for t in (1, 3) for e in (Scan(), Deferred())
    ]
    assert all(row.seconds > 0 for row in rows)


def test_what_compiles_slowly_is_left_out_from_then_on_but_for_the_first(monkeypatch):
    monkeypatch.setattr(engines, "PATIENCE", 0.0)
    outcome = engines.measure(1, SMALL[:1])
    _, *rows = lines(outcome)
    assert [row.count(" - ") for row in rows] == [0, 0, 0, 5]
    (content,) = outcome.files.values()
    assert [(row.length, row.engine) for row in from_json(content)] == [
        (1, Scan()),
        (1, Deferred()),
        (3, Scan()),
    ]


def test_groups_name_cells_that_their_engines_run():
    for group in engines.GROUPS:
        assert group.cells and list(group.lengths) == sorted(group.lengths)
        assert group.guides is None or group.guides in group.cells
        for name in group.cells:
            assert all(isinstance(CELLS[name](3), e.runs) for e in group.engines)


def test_sides_are_steps_at_the_middle_length_of_each_group(monkeypatch):
    monkeypatch.setattr(engines, "GROUPS", SMALL)
    sides = engines.sides()
    assert list(sides) == [
        f"elman, T = 3, {Scan()}",
        f"elman, T = 3, {Deferred()}",
        f"mingru, T = 3, {Scan()}",
        f"mingru, T = 3, {Associative()}",
    ]
    sides[f"elman, T = 3, {Deferred()}"]()()
