"""`auto` goes by what was measured, and by the cell's structure where nothing was."""

import importlib
import math

import jax
import pytest

from rnnlab.cells import GRU, LSTM, Elman, GRUBefore, MinGRU
from rnnlab.engines import ENGINES, Chunked, Deferred, Scan, Unrolled, auto
from rnnlab.wrappers import masked

MODULE = importlib.import_module("rnnlab.engines.auto")  # the package's is a function
Row, from_json, to_json = MODULE.Row, MODULE.from_json, MODULE.to_json

SPLIT, LINEAR, PLAIN = LSTM(5), MinGRU(5), GRUBefore(5)
DEFAULTS = {
    Elman(5): Deferred(),
    GRU(5): Deferred(),
    SPLIT: Deferred(),
    PLAIN: Scan(),
    LINEAR: Scan(),
}
ROWS = (
    Row("cpu", "split", 10, Scan(unroll=4), 1.0),
    Row("cpu", "split", 10, Deferred(), 2.0),
    Row("cpu", "split", 1000, Scan(unroll=4), 4.0),
    Row("cpu", "split", 1000, Unrolled(), 3.0),
    Row("cpu", "linear", 64, Scan(), 2.0),
    Row("cpu", "linear", 64, Chunked(16), 1.0),
    Row("cpu", "linear", 4096, Chunked(16), 5.0),
    Row("cpu", "linear", 4096, Chunked(64), 6.0),
    Row("cpu", "plain", 10, Scan(), 1.0),
    Row("cpu", "plain", 10, Scan(unroll=4), 0.95),
    Row("cpu", "plain", 99, Scan(), 1.0),
    Row("cpu", "plain", 99, Scan(unroll=4), 0.75),
    Row("gpu", "split", 10, Scan(), 0.9),
    Row("gpu", "split", 10, Deferred(), 1.0),
    Row("tpu", "split", 10, Scan(), 1.0),
)


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(MODULE, "measured", lambda: ROWS)


@pytest.mark.parametrize(
    ("cell", "length", "backend", "wanted"),
    [
        (SPLIT, 1, "cpu", Scan(unroll=4)),
        (SPLIT, 10, "cpu", Scan(unroll=4)),
        (SPLIT, 99, "cpu", Scan(unroll=4)),  # 100 is half way, by ratio
        (SPLIT, 101, "cpu", Unrolled()),
        (SPLIT, 10**6, "cpu", Unrolled()),
        (masked(SPLIT), 10, "cpu", Scan(unroll=4)),
        (SPLIT, None, "cpu", Deferred()),  # no engine wins at both lengths
        (SPLIT, None, "tpu", Scan()),  # the only one there is
        (LINEAR, 1, "cpu", Chunked(16)),
        (LINEAR, 10**6, "cpu", Chunked(16)),
        (LINEAR, None, "cpu", Chunked(16)),  # wins at both
        (masked(LINEAR), 64, "cpu", Chunked(16)),
        (PLAIN, 10, "cpu", Scan()),  # 5 % are noise, and so are 10
        (PLAIN, 99, "cpu", Scan(unroll=4)),
        (LINEAR, 64, "tpu", Scan()),  # nothing measured from here on
        (PLAIN, None, "cpu", Scan()),
        (SPLIT, 10, "gpu", Deferred()),
        (masked(SPLIT), 10, "gpu", Deferred()),
        (masked(PLAIN), 10, "gpu", Scan()),
    ],
)
def test_the_fastest_at_the_nearest_length(rows, cell, length, backend, wanted):
    assert auto(cell, length, backend) == wanted


def test_the_backend_is_the_one_in_use(rows, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert auto(SPLIT, 10) == Scan()


def test_without_measurements_the_structure_decides(monkeypatch):
    monkeypatch.setattr(MODULE, "measured", lambda: ())
    for length in (None, 1, 1000):
        assert {cell: auto(cell, length) for cell in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("length", [0, -3])
def test_a_length_of_no_step_is_named(length):
    with pytest.raises(ValueError, match=rf"at least 1 step, got {length};"):
        auto(SPLIT, length)


def test_rows_are_read_as_they_were_written():
    every = [
        Row("cpu", "plain", t, kind(), 1 / (t + 3))
        for t, kind in enumerate(ENGINES.values())
    ]
    written = to_json([*ROWS, *every])
    assert from_json(written) == (*ROWS, *every)
    assert written.count("\n") == len(ROWS) + len(every) + 2  # one row a line
    assert from_json(to_json([])) == ()


def test_the_file_that_comes_along_names_engines_that_run_their_structure():
    cells = {"split": SPLIT, "linear": LINEAR, "plain": PLAIN}
    rows = MODULE.measured()
    for row in rows:
        assert isinstance(cells[row.structure], row.engine.runs)
        assert row.length >= 1 and 0 < row.seconds < math.inf
    keys = [(row.backend, row.structure, row.length, row.engine) for row in rows]
    assert len(set(keys)) == len(keys)
    for backend in {"cpu", "gpu", *(row.backend for row in rows)}:
        for cell in cells.values():
            for length in (None, 1, 60, 10**6):
                assert isinstance(cell, auto(cell, length, backend).runs)
