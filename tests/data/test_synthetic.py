"""Toy problems: what is asked follows from what is given, and from the generator."""

import numpy as np
import pytest

from rnnlab.data.synthetic import adding, parity


def test_parity_counts_the_ones():
    x, y, counts = parity(np.random.default_rng(0), 9, 50)
    assert x.shape == y.shape == (9, 50, 1)
    assert set(np.unique(x)) == {-1, 1} and x.dtype == y.dtype == np.float32
    for row in range(50):
        ones = 0
        for t in range(9):
            ones += x[t, row, 0] == 1
            assert y[t, row, 0] == ones % 2
    assert counts.tolist() == [1] * 9
    assert abs(x.mean()) < 0.15 and abs(y.mean() - 0.5) < 0.1


@pytest.mark.parametrize("steps", [2, 3, 50])
def test_adding_marks_one_number_in_each_half(steps):
    x, y, counts = adding(np.random.default_rng(0), steps, 200)
    numbers, marks = x[..., 0], x[..., 1]
    assert 0 <= numbers.min() and numbers.max() < 1
    assert (marks[: steps // 2].sum(0) == 1).all()
    assert (marks[steps // 2 :].sum(0) == 1).all()
    np.testing.assert_allclose(y[-1, :, 0], (numbers * marks).sum(0), rtol=1e-6)
    assert not y[:-1].any()
    assert counts.tolist() == [0] * (steps - 1) + [1]
    assert np.mean((y[-1] - 1) ** 2) == pytest.approx(1 / 6, abs=0.04)


@pytest.mark.parametrize("problem", [parity, adding])
def test_equal_generators_draw_equal_batches(problem):
    first, again, other = (
        problem(np.random.default_rng(seed), 6, 4) for seed in (0, 0, 1)
    )
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.x, other.x)


def test_too_short_is_named():
    with pytest.raises(ValueError, match=r"at least 2 steps, got 1"):
        adding(np.random.default_rng(0), 1, 4)
