"""The suite of scan against unrolled steps: rows, data, and up to where it pays."""

import numpy as np
import pytest

from launch.suites import scan_vs_unrolled as suite
from launch.suites.scan_vs_unrolled import Result
from rnnlab.engines import Deferred, Scan, Unrolled


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(suite, "FEATURES", 3)
    monkeypatch.setattr(suite, "BATCH", 2)
    monkeypatch.setattr(suite, "SECONDS", 1e-4)
    monkeypatch.setattr(suite, "ENGINES", (Scan(), Unrolled(), Deferred()))


def test_each_engine_that_runs_the_cell_has_a_row_for_each_pass():
    outcome = suite.measure(2, ["elman", "gru_before"], [2])
    rows = [row.split(" | ") for row in outcome.table.splitlines() if row[:2] == "| "]
    keys = [
        (cell, passes, "2", str(engine))
        for cell, engines in (
            ("elman", [Scan(), Unrolled(), Deferred()]),
            ("gru_before", [Scan(), Unrolled()]),
        )
        for passes in ("forward", "with gradient")
        for engine in engines
    ]
    assert [(row[0][2:], *row[1:4]) for row in rows[1:]] == keys
    assert all(
        row[6:] == ["1.00", "1.00 to 1.00 |"]
        for row in rows[1:]
        if row[3] == str(Scan())
    )
    assert outcome.table.count("\n- ") == 4
    calls, ratios, compiling = (outcome.measurements[k::3] for k in range(3))
    assert [tuple(each.what.values()) for each in calls] == [
        (cell, passes, int(length), engine) for cell, passes, length, engine in keys
    ]
    assert {each.unit for each in ratios} == {"times Scan"}
    assert all(each.what["of"] == "compiling" and each.median > 0 for each in compiling)


def results(ratios):
    """Scan takes 2 ms and compiles in 1 s, Unrolled in 1 s more a step."""
    for length, ratio in ratios.items():
        base = np.array([2e-3, 2e-3, 2e-3])
        case = ("lstm", "forward", length)
        yield Result(*case, Scan(), 1.0, base, np.ones(3))
        ratio = np.array(ratio)
        yield Result(*case, Unrolled(), 1.0 + length, base * ratio, ratio)


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ({2: [1.1] * 3, 4: [1.2] * 3}, "unrolling pays at no length"),
        ({2: [0.9, 0.9, 1.2]}, "unrolling pays at no length"),
        (
            {2: [0.5] * 3, 4: [1.2] * 3},
            "unrolling pays up to T = 2, no more at 4; there it compiles 2.0 s longer,"
            " which 2,000 calls win back",
        ),
        (
            {2: [0.5] * 3, 4: [0.8] * 3},
            "unrolling pays up to T = 4, the longest; there it compiles 4.0 s longer,"
            " which 10,000 calls win back",
        ),
    ],
)
def test_unrolling_pays_where_it_is_faster_in_three_turns_of_four(ratios, verdict):
    assert suite.verdict(list(results(ratios))) == verdict


def test_sides_are_steps_of_the_first_lengths(monkeypatch):
    monkeypatch.setattr(suite, "LENGTHS", (1, 2, 3))
    monkeypatch.setattr(suite, "KINDS", ("gru_before",))
    sides = suite.sides()
    assert list(sides) == [
        f"gru_before, T = {length}, {engine}"
        for length in (1, 2)
        for engine in (Scan(), Unrolled())
    ]
    for make in sides.values():
        make()()
