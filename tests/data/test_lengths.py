"""Windows of few lengths around T: their shares, and that a batch is its number's."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data import lengths
from rnnlab.data.lengths import VariedStream
from rnnlab.errors import InputError

SHARES = [
    (70, 2, {70: 0.95, 35: 0.05}),
    # N(70, 25) at 1/6, 3/6 and 5/6: 70 and 4.837 more or less.
    (70, 4, {70: 0.95 / 3, 65: 0.95 / 3, 75: 0.95 / 3, 35: 0.05}),
    (10, 3, {7: 0.475, 13: 0.475, 5: 0.05}),
    (6, 4, {6: 0.95 / 3, 5: 0.95 / 3 + 0.05, 11: 0.95 / 3}),  # none below 5
    (2, 4, {2: 0.95 / 3 * 2 + 0.05, 7: 0.95 / 3}),  # or below T
]


@pytest.mark.parametrize(("length", "count", "wanted"), SHARES)
def test_shares_of_lengths(length, count, wanted):
    assert lengths.buckets(length, count) == pytest.approx(wanted)


def test_many_lengths_have_the_moments_of_the_paper():
    """0.95 N(70, 25) + 0.05 at 35; a middle of a part is nearer than its mean."""
    shares = lengths.buckets(70, 64)
    drawn = np.array([*shares]), np.array([*shares.values()])
    mean = (drawn[0] * drawn[1]).sum()
    assert drawn[1].sum() == pytest.approx(1)
    assert mean == pytest.approx(0.95 * 70 + 0.05 * 35, abs=0.1)
    deviation = np.sqrt((drawn[1] * (drawn[0] - mean) ** 2).sum())
    wanted = np.sqrt(0.95 * (25 + 1.75**2) + 0.05 * (35 - 1.75) ** 2)
    assert deviation == pytest.approx(wanted, rel=0.02)


def test_an_epoch_has_its_share_of_each_length():
    stream = VariedStream(np.zeros(200_000, np.uint8), 4, 70, 1, count=5)
    found = [len(stream[k].inputs) for k in range(len(stream))]
    for length, share in lengths.buckets(70, 5).items():
        assert found.count(length) == pytest.approx(share * len(stream), abs=1)
    assert stream.lengths == tuple(sorted({*found}))
    assert stream.tokens == 4 * sum(found) > 199_000
    later = [len(stream[k].inputs) for k in range(len(stream), 2 * len(stream))]
    assert later != found and sorted(later) == sorted(found)


sizes = st.integers(1, 6)


@settings(deadline=None)
@given(st.integers(2, 400), sizes, st.integers(1, 30), st.integers(2, 9), st.data())
def test_each_target_counts_once_and_a_batch_depends_on_its_number(
    ids, batch, length, count, data
):
    given = np.arange(ids, dtype=np.uint16), batch, length, ids
    row = (ids - 1) // batch
    if row < length:
        with pytest.raises(InputError):
            VariedStream(*given, count=count)
        return
    stream = VariedStream(*given, count=count)
    for epoch in range(2):
        whole = [stream[epoch * len(stream) + k] for k in range(len(stream))]
        targets = np.concatenate([window.targets for window in whole])
        assert targets.size == stream.tokens
        for b in range(batch):
            first = b * row + 1
            assert targets[:, b].tolist() == [*range(first, first + len(targets))]
        assert [bool(window.reset) for window in whole] == [
            k == 0 for k in range(len(whole))
        ]
        assert all(w.mask.all() and w.mask.shape == w.inputs.shape for w in whole)
    k = data.draw(st.integers(0, 3 * len(stream)))
    alone = VariedStream(*given, count=count)[k]
    for mine, wanted in zip(alone, stream[k], strict=True):
        assert np.array_equal(mine, wanted)
    with pytest.raises(IndexError):
        stream[-1]


def test_shares_put_together_are_the_batch():
    ids = np.arange(900, dtype=np.uint16)
    whole = VariedStream(ids, 4, 20, 900, count=3)
    halves = [VariedStream(ids, 4, 20, 900, slice(k, k + 2), 3) for k in (0, 2)]
    for k in range(len(whole)):
        parts = [half[k].inputs for half in halves]
        np.testing.assert_array_equal(np.concatenate(parts, 1), whole[k].inputs)


def test_any_number_is_reached_at_once():
    stream = VariedStream(np.zeros(2_000_000, np.uint16), 20, 35, 1, count=8)
    times = []
    for k in (10**9, 5, 10**12, 7):  # an epoch anew at each
        start = time.perf_counter()
        stream[k]
        times.append(time.perf_counter() - start)
    assert min(times) < 5e-3
