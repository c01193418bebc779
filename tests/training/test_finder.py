"""What a rising learning rate tells: on a bowl, where the answer is known."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from launch import rising
from rnnlab.errors import InputError
from rnnlab.training import finder
from rnnlab.training.finder import Tried
from rnnlab.training.settings import Training
from rnnlab.training.task import Outcome

RATES = np.geomspace(1e-4, 100, 120)
SGD = Training(optimizer="sgd", clip_norm=None, schedule="cosine", warmup=3)


class Batch(NamedTuple):
    x: np.ndarray


@dataclasses.dataclass(frozen=True)
class Bowl:
    """w^2 / 2 + 1 from w = 10: gradient descent diverges at a rate of 2."""

    steps_per_epoch = 5
    splits = ("train",)

    def init(self, key):
        return {"w": jnp.float32(10)}

    def memory(self, split):
        return ()

    def batches(self, split, start=0):
        while True:
            yield Batch(np.zeros(1, np.float32))

    def loss(self, params, memory, batch, key, train):
        loss = params["w"] ** 2 / 2 + 1 + 0 * batch.x.sum()
        return loss, Outcome((), jnp.float32(1))


def test_a_bowl():
    """The rates are those of the steps, whatever the schedule is."""
    tried = finder.rising(Bowl(), SGD, RATES)
    w, wanted = 10.0, []
    for rate in tried.rates:
        wanted.append(w**2 / 2 + 1)
        w -= rate * w
    np.testing.assert_allclose(tried.losses, wanted, rtol=1e-3)
    assert tried.diverged and 2 < tried.rates[-1] < 20
    found = finder.verdict(tried, len(RATES))
    # Where 10^2 exp(-2 sum of rates) falls fastest by the logarithm of the rate: each
    # decade has so many steps that they sum to about rate / (ratio - 1).
    ratio = RATES[1] / RATES[0]
    assert found.steepest == pytest.approx((ratio - 1) / 2, rel=0.3)
    # Of 2, from which on |1 - rate| is above one; near it w hardly moves.
    assert 0.02 < found.cautious < 0.25


CURVES = [  # losses, and at which place the fall is steepest
    (np.r_[np.full(40, 5.0), np.linspace(5, 4, 40), np.full(40, 4.0)], range(38, 82)),
    (np.r_[np.full(60, 5.0), 5 - np.arange(60) ** 2 / 900], range(110, 120)),
    (np.linspace(1, 5, 120), None),
]


@pytest.mark.parametrize(("losses", "places"), CURVES, ids=["slope", "curve", "rise"])
def test_the_steepest_fall(losses, places):
    found = finder.verdict(Tried(RATES, losses, False), 120)
    assert found.cautious is None
    if places is None:
        assert found.steepest is None
    else:
        assert int(np.argmin(abs(RATES - found.steepest))) in places


def test_smoothing_keeps_a_line_and_its_place():
    line = Tried(RATES, np.linspace(3, 1, 120), False)
    curve = finder.smoothed(line, 120)
    np.testing.assert_allclose(curve[5:-5], line.losses[5:-5])
    bad = Tried(RATES, np.r_[line.losses[:-1], np.nan], True)
    assert np.isfinite(finder.smoothed(bad, 120)).all()
    assert rising.plain(bad.losses)[-1] is None


def test_it_ends_where_numbers_do():
    settings = dataclasses.replace(SGD, learning_rate=1.0)
    tried = finder.rising(Bowl(), settings, np.geomspace(1e30, 1e38, 40))
    assert tried.diverged and len(tried.losses) <= 3


def test_too_few_rates():
    with pytest.raises(InputError, match="20 rates or more are wanted, got 3"):
        finder.rising(Bowl(), SGD, RATES[:3])
