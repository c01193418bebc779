"""The suite of memory: a row for each engine, by two accounts that agree."""

from pathlib import Path

import pytest

import launch
from launch.measuring import machine, weigh
from launch.measuring.weigh import Step, Weight
from launch.suites import memory
from launch.suites.memory import Group
from rnnlab.engines import Remat, Scan


def test_table_and_data_have_what_each_engine_needs(monkeypatch):
    asked = []

    def answer(step):
        asked.append(step)
        temporaries = step.length * (1 if step.engine == "remat" else 4) * 10**6
        return Weight(temporaries, None if step.length == 1 else 10**6)

    monkeypatch.setattr(memory, "weigh", answer)
    group = Group("elman", 2, (Scan(), Remat(chunk=3)))
    outcome = memory.measure(1, [group], [1, 1000])
    H = memory.FEATURES
    assert asked[:2] == [
        Step("elman", H, 2, 1, "scan", {"unroll": 1}),
        Step("elman", H, 2, 1, "remat", {"chunk": 3}),
    ]
    assert outcome.table.splitlines()[-4:] == [
        "| elman | 2 | 1 | Scan(unroll=1) | 4.0 | 1.00 | - |",
        "| elman | 2 | 1 | Remat(chunk=3) | 1.0 | 0.25 | - |",
        "| elman | 2 | 1,000 | Scan(unroll=1) | 4000.0 | 1.00 | 1.0 |",
        "| elman | 2 | 1,000 | Remat(chunk=3) | 1000.0 | 0.25 | 1.0 |",
    ]
    assert [(m.what["T"], m.what["of"], m.median) for m in outcome.measurements] == [
        (1, "temporaries", 4e6),
        (1, "temporaries", 1e6),
        (1000, "temporaries", 4e9),
        (1000, "growth", 1e6),
        (1000, "temporaries", 1e9),
        (1000, "growth", 1e6),
    ]


def test_a_process_grows_by_its_temporaries():
    """25 MB of them, beside which the gradients are little."""
    found = weigh.weigh(Step("elman", 32, 20, 10_000, "scan", {"unroll": 1}))
    if found.growth is None:
        pytest.skip("Linux alone tells what a process grew by")
    assert found.temporaries > 2e7
    assert found.growth == pytest.approx(found.temporaries, rel=0.7)


def test_a_step_that_fails_says_why():
    with pytest.raises(RuntimeError, match="KeyError: 'none'"):
        weigh.weigh(Step("none", 1, 1, 1, "scan", {}))


def test_processes_measure_the_code_that_they_were_started_from():
    assert weigh.ROOT == machine.ROOT == Path(launch.__file__).parents[1]
    assert (weigh.ROOT / "pyproject.toml").exists()
