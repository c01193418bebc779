"""Windows of contiguous rows, by numbers."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data import streams
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.errors import InputError

sizes = st.integers(1, 6)


def test_train_windows():
    stream = TrainStream(np.arange(15, dtype=np.uint8), 2, 3, 15)  # rows of 7 targets
    assert len(stream) == 2 and stream.tokens == 12
    assert stream[0].inputs.tolist() == [[0, 7], [1, 8], [2, 9]]
    assert stream[0].targets.tolist() == [[1, 8], [2, 9], [3, 10]]
    assert stream[1].inputs.tolist() == [[3, 10], [4, 11], [5, 12]]
    assert [bool(stream[k].reset) for k in range(5)] == [True, False] * 2 + [True]
    assert stream[0].mask.all()
    for left, right in zip(stream[1], stream[7], strict=True):
        assert left.dtype == right.dtype and (left == right).all()
    assert len(list(stream)) == 2
    with pytest.raises(IndexError):
        stream[-1]


def test_eval_windows():
    stream = EvalStream(np.arange(9, dtype=np.uint8), 3, 2, 9)  # rows of 3, 3, 2
    assert len(stream) == 2 and stream.tokens == 8
    assert stream[0].inputs.tolist() == [[0, 3, 6], [1, 4, 7]]
    assert stream[0].targets.tolist() == [[1, 4, 7], [2, 5, 8]]
    assert stream[1].inputs.tolist() == [[2, 5, 0], [3, 6, 0]]
    assert stream[1].targets.tolist() == [[3, 6, 0], [0, 0, 0]]
    assert stream[1].mask.tolist() == [[True, True, False], [False] * 3]
    assert [bool(batch.reset) for batch in stream] == [True, False]
    with pytest.raises(IndexError):
        stream[2]


def test_a_short_split_fills_few_rows():
    stream = EvalStream(np.arange(5, dtype=np.uint8), 4, 3, 5)
    assert len(stream) == 1
    assert stream[0].mask.T.tolist() == [
        [True, True, True],
        [True, False, False],
        [False] * 3,
        [False] * 3,
    ]


def test_how_often_an_id_stands_in_the_text(monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 3)
    ids = np.array([2, 0, 2, 2, 1, 0, 2], np.uint8)
    for kind in (TrainStream, EvalStream):
        found = kind(ids, 1, 2, 4).counts
        assert found.tolist() == [2, 1, 4, 0] and found.dtype == "int64"


@settings(deadline=None)
@given(st.integers(2, 60), sizes, sizes)
def test_rows_are_contiguous(count, batch, length):
    ids = np.arange(count, dtype=np.uint16)
    row = (count - 1) // batch
    if row < length:
        with pytest.raises(InputError):
            TrainStream(ids, batch, length, count)
        return
    stream = TrainStream(ids, batch, length, count)
    targets = np.concatenate([window.targets for window in stream])
    inputs = np.concatenate([window.inputs for window in stream])
    for b in range(batch):
        used = len(stream) * length
        assert inputs[:, b].tolist() == list(range(b * row, b * row + used))
    assert (targets == inputs + 1).all()
    assert targets.size == stream.tokens


@settings(deadline=None)
@given(st.integers(2, 60), sizes, sizes)
def test_each_target_is_scored_once(count, batch, length):
    stream = EvalStream(np.arange(count), batch, length, count)
    seen = []
    for window in stream:
        assert window.inputs.shape == window.mask.shape == (length, batch)
        assert (window.targets == window.inputs + 1)[window.mask].all()
        assert (window.targets[~window.mask] == 0).all()
        seen += window.targets[window.mask].tolist()
    assert sorted(seen) == list(range(1, count))
    assert stream.tokens == count - 1
    rows = np.concatenate([window.mask for window in stream])
    assert (np.diff(rows.astype(int), axis=0) <= 0).all()  # once padded, padded on


@pytest.mark.parametrize("kind", [TrainStream, EvalStream])
@pytest.mark.parametrize("bad", [7, -1, 2**32 + 3])
def test_an_id_outside_the_vocabulary(kind, bad):
    ids = np.zeros(40, np.int64)
    ids[30] = bad
    stream = kind(ids, 1, 10, 7)
    stream[1]
    with pytest.raises(
        InputError, match=f"Ids from 0 to 6 were wanted, and {bad} came"
    ):
        stream[2]


def test_the_largest_that_would_work_is_named():
    ids = np.zeros(50, np.uint8)
    with pytest.raises(
        InputError,
        match=r"At least 20 x 35 \+ 1 = 701 tokens .* has 50; take at most "
        "--batch_size=1, or at most --length=2, or a longer --data",
    ):
        TrainStream(ids, 20, 35, 1)
    TrainStream(ids, 1, 35, 1)
    TrainStream(ids, 20, 2, 1)
    with pytest.raises(InputError, match="has 50; take a longer --data"):
        TrainStream(ids, 60, 60, 1)
    with pytest.raises(InputError, match="at least 2 tokens"):
        EvalStream(ids[:1], 1, 1, 1)


@pytest.mark.parametrize("kind", [TrainStream, EvalStream])
def test_what_is_no_stream(kind):
    ids = np.zeros(50, np.uint8)
    with pytest.raises(InputError, match="--batch_size or --length"):
        kind(ids, 0, 1, 1)
    with pytest.raises(InputError, match="Integer ids of one axis"):
        kind(ids.astype(float), 1, 1, 1)
    with pytest.raises(InputError, match="Integer ids of one axis"):
        kind(ids[None], 1, 1, 1)


@pytest.mark.parametrize("kind", [TrainStream, EvalStream])
def test_feeding_is_cheap(kind):
    stream = kind(np.zeros(200_000, np.uint16), 20, 35, 1)
    times = []
    for k in range(200):
        start = time.perf_counter()
        stream[k]
        times.append(time.perf_counter() - start)
    assert min(times) < 50e-6
