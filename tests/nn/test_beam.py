"""Beam search beside all texts there are, and beside greedy drawing."""

import jax
import numpy as np
import pytest
from toy_model import Toy

from rnnlab.nn.generation import Sampling, sample, search

MODEL = Toy(4)
PROMPT = np.array([1, 2, 0])
LENGTH = 4


def enumerated(params, alpha, end):
    """Returns all texts with nats and scores, best first."""
    rows = []
    for text in MODEL.texts(LENGTH, end):
        nats = MODEL.costs(params, PROMPT, text).sum()
        rows.append((-nats / ((5 + len(text)) / 6) ** alpha, nats, text))
    return sorted(rows, reverse=True)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("alpha", "end"), [(0.6, None), (0.0, 3), (0.6, 3), (2.0, 3)])
def test_a_beam_as_wide_as_all_texts_finds_the_best_of_them(alpha, end, seed):
    params = MODEL.params(seed)
    wanted = enumerated(params, alpha, end)
    width = MODEL.size ** (LENGTH - 1)
    found = search(MODEL, params, PROMPT, LENGTH, width, alpha, end)
    assert len(found) == min(width, len(wanted))
    for one, (score, nats, text) in zip(found[:10], wanted[:10], strict=True):
        assert tuple(one.tokens) == text
        assert one.nats == pytest.approx(nats, abs=1e-4)
        assert one.score == pytest.approx(score, abs=1e-4)


def test_the_penalty_decides_between_short_and_long():
    params = MODEL.params(0)
    lengths = [
        len(search(MODEL, params, PROMPT, LENGTH, 64, alpha, 3)[0].tokens)
        for alpha in (0.0, 5.0)
    ]
    assert lengths[0] < lengths[1] == LENGTH


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_is_greedy(seed):
    params, length = MODEL.params(seed), 40
    steps = sample(MODEL, params, [PROMPT], length, jax.random.key(0), Sampling(0.0))
    greedy = np.concatenate(list(steps))
    (found,) = search(MODEL, params, PROMPT, length, width=1)
    np.testing.assert_array_equal(found.tokens, greedy)
    costs = MODEL.costs(params, PROMPT, greedy)
    assert found.nats == pytest.approx(costs.sum(), rel=1e-4)


@pytest.mark.parametrize("end", [None, 3])
def test_scores_are_those_of_the_texts_and_fall(end):
    params = MODEL.params(2)
    found = search(MODEL, params, PROMPT, 12, width=3, alpha=0.6, end=end)
    assert len(found) == 3 and len({tuple(one.tokens) for one in found}) == 3
    for one in found:
        nats = MODEL.costs(params, PROMPT, one.tokens).sum()
        assert one.nats == pytest.approx(nats, rel=1e-4)
        penalty = ((5 + len(one.tokens)) / 6) ** 0.6
        assert one.score == pytest.approx(-nats / penalty, rel=1e-4)
        assert end not in one.tokens[:-1]
    assert [one.score for one in found] == sorted(f.score for f in found)[::-1]
