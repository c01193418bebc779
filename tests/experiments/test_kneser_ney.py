"""Kneser-Ney beside a transcription of its formulas, and by hand."""

import functools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.language_modeling.kneser_ney import FALLBACK, KneserNey, discounts
from rnnlab.errors import InputError


def transcribed(text, vocab_size, order):
    """Returns p(w, h) of Chen and Goodman, in dicts of tuples."""
    grams = {
        k: [tuple(text[i : i + k]) for i in range(len(text) - k + 1)]
        for k in range(1, order + 1)
    }
    count = {k: Counter(gram[1:] for gram in {*grams[k + 1]}) for k in range(1, order)}
    count[order] = Counter(grams[order])
    taken = {}
    for k, counts in count.items():
        n = Counter(counts.values())
        taken[k] = {1: 0.5, 2: 1.0, 3: 1.5}
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            found = {
                1: 1 - 2 * y * n[2] / n[1],
                2: 2 - 3 * y * n[3] / n[2],
                3: 3 - 4 * y * n[4] / n[3],
            }
            if all(0 < found[c] <= c for c in found):
                taken[k] = found

    @functools.cache
    def p(w, h):
        lower = p(w, h[1:]) if h else 1 / vocab_size
        counts, less = count[len(h) + 1], taken[len(h) + 1]
        after = {x: counts[(*h, x)] for x in range(vocab_size) if counts[(*h, x)]}
        total = sum(after.values())
        if not total:
            return lower
        rest = sum(less[min(c, 3)] for c in after.values()) / total
        kept = (after[w] - less[min(after[w], 3)]) / total if w in after else 0
        return kept + rest * lower

    return p


def texts(least):
    ids = st.integers(0, 3)
    repeated = st.tuples(st.lists(ids, min_size=1), st.integers(1, 8)).map(
        lambda drawn: (drawn[0] * drawn[1])[:200]
    )
    return (st.lists(ids, max_size=200) | repeated).filter(lambda t: len(t) >= least)


@settings(deadline=None)
@given(
    texts(6), st.lists(st.integers(0, 4), min_size=2, max_size=20), st.integers(1, 6)
)
def test_it_is_what_the_paper_says(text, other, order):
    p = transcribed(text, 5, order)  # id 4 is never seen
    model = KneserNey.fit(np.array(text, np.uint8), 5, order)
    for ids in (text, other):
        back = order - 1
        wanted = [
            p(ids[i], tuple(ids[max(0, i - back) : i])) for i in range(1, len(ids))
        ]
        found = model.probabilities(np.array(ids, np.uint8))
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@settings(deadline=None)
@given(texts(5), st.lists(st.integers(0, 4), max_size=8), st.integers(1, 5))
def test_probabilities_add_up_to_one(text, before, order):
    model = KneserNey.fit(np.array(text), 5, order)
    for context in ([*before, 0], text, [4, 4, 4, 4]):
        after = [model.probabilities(np.array([*context, w]))[-1] for w in range(5)]
        assert sum(after) == pytest.approx(1, rel=1e-12)
        assert min(after) > 0


def test_by_hand():
    # One bigram, so that discounts fall back: 0.5 of 1. What has one before it is the
    # second token alone: p(1) = 0.5 + 0.5 / 2, and p(1 | 0) = 0.5 + 0.5 p(1).
    model = KneserNey.fit(np.array([0, 1]), 2, 2)
    assert model.probabilities(np.array([0, 1, 1, 0])).tolist() == [0.875, 0.75, 0.25]
    assert model.size == 3


def test_discounts_by_hand():
    counts = np.repeat([0, 1, 2, 3, 4, 5, 90], [7, 20, 10, 5, 2, 3, 1])  # y = 1 / 2
    assert discounts(counts) == pytest.approx((1 - 1 / 2, 2 - 3 / 4, 3 - 4 / 5))
    for few in ([], [1, 2, 4], [3, 3, 3], [1] * 9 + [2] + [3] * 9):  # D2 = 2 - 27 y
        assert discounts(np.array(few, int)) == FALLBACK


def test_a_text_shorter_than_the_order_is_measured():
    model = KneserNey.fit(np.arange(20) % 3, 3, 10)
    assert len(model.probabilities(np.array([0, 1]))) == 1
    assert len(model.probabilities(np.array([0]))) == 0


@pytest.mark.parametrize(("length", "order"), [(5, 0), (5, -1), (5, 6), (0, 1)])
def test_orders_that_no_text_has(length, order):
    with pytest.raises(InputError, match=rf"1 to the {length} tokens .* got {order};"):
        KneserNey.fit(np.zeros(length, int), 2, order)
