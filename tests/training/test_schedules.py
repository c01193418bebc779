"""Schedules at given steps, compiled as in the training step."""

import jax
import numpy as np
import pytest

from rnnlab.errors import InputError
from rnnlab.training import step
from rnnlab.training.schedules import SCHEDULES
from rnnlab.training.settings import Training


def rates(counts, steps, steps_per_epoch, **settings):
    knobs = Training(**settings)
    schedule = SCHEDULES[knobs.schedule](knobs, steps, steps_per_epoch)
    return np.asarray(jax.jit(jax.vmap(schedule))(np.asarray(counts, np.int32)))


@pytest.mark.parametrize("steps_per_epoch", [1, 10, 41, 61, 109, 663, 2323])
def test_zaremba(steps_per_epoch):
    """Rate 1 in epochs 1 to 4, halved at the start of the fifth and of each after."""
    epochs = np.arange(1, 14)
    first = (epochs - 1) * steps_per_epoch
    wanted = np.where(epochs <= 4, 1.0, 0.5 ** (epochs - 4.0))
    for counts in (first, first + steps_per_epoch - 1):
        actual = rates(
            counts, 14 * steps_per_epoch, steps_per_epoch,
            schedule="step", learning_rate=1.0, decay=0.5, decay_after=4,
        )  # fmt: skip
        np.testing.assert_array_equal(actual, wanted.astype(np.float32))


TABLE = [
    (dict(schedule="constant"), {0: 0.4, 7: 0.4, 1000: 0.4}),
    (dict(schedule="constant", warmup=4), {0: 0, 1: 0.1, 2: 0.2, 4: 0.4, 90: 0.4}),
    (dict(schedule="plateau"), {0: 0.4, 99: 0.4}),
    (dict(schedule="cosine"), {0: 0.4, 50: 0.2, 100: 0, 200: 0}),
    (
        dict(schedule="cosine", warmup=20),
        {0: 0, 10: 0.2, 20: 0.4, 40: 0.2 * (1 + np.cos(np.pi / 4)), 60: 0.2, 100: 0},
    ),
    (
        dict(schedule="cyclical", cycle=8),
        {0: 0.04, 2: 0.22, 4: 0.4, 6: 0.22, 8: 0.04, 12: 0.4, 81: 0.13},
    ),
    (
        dict(schedule="slanted"),
        {0: 0.0125, 5: 0.20625, 10: 0.4, 55: 0.20625, 100: 0.0125, 200: 0.0125},
    ),
    (
        dict(schedule="exponential", decay=0.25, decay_after=2),
        {0: 0.4, 10: 0.4, 20: 0.4, 25: 0.2, 30: 0.1, 40: 0.025},
    ),
]


@pytest.mark.parametrize(("settings", "wanted"), TABLE, ids=lambda v: str(v)[:60])
def test_rates(settings, wanted):
    actual = rates(
        list(wanted), 100, 10, learning_rate=0.4, **settings
    )  # 100 steps in 10 epochs
    np.testing.assert_allclose(actual, list(wanted.values()), rtol=1e-5, atol=1e-7)


def test_cyclical_never_leaves_its_bounds():
    actual = rates(range(300), 300, 10, schedule="cyclical", learning_rate=1.0, cycle=7)
    assert actual.min() == pytest.approx(0.1) and actual.max() <= 1


def test_cosine_of_a_run_no_longer_than_its_warmup():
    actual = rates([0, 5, 10], 10, 10, schedule="cosine", learning_rate=1.0, warmup=10)
    np.testing.assert_allclose(actual, [0, 0.5, 1], rtol=1e-6)


class Plateaued:
    """A state with nothing but what `validated` reads."""

    def __init__(self, settings):
        self.plateau = step._plateau(settings).init(())

    def _replace(self, plateau):
        self.plateau = plateau
        return self


def scales(losses, **settings):
    settings = Training(**settings)
    state, found = Plateaued(settings), []
    for loss in losses:
        state = step.lower_on_plateau(settings, state, loss)
        found.append(float(state.plateau.scale))
    return found


def test_plateau_lowers_the_rate_after_validations_without_gain():
    knobs = dict(schedule="plateau", decay=0.5, plateau_patience=2)
    losses = [3.0, 2.0, 2.5, 2.1, 1.9, 1.9, 1.9, float("nan"), 1.95, 1.0]
    wanted = [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    assert scales(losses, **knobs) == wanted


def test_a_patience_that_was_lowered_since_is_over_at_once():
    settings = Training(schedule="plateau", decay=0.5, plateau_patience=5)
    state = Plateaued(settings)
    for loss in (1.0, 2.0, 2.0, 2.0):
        state = step.lower_on_plateau(settings, state, loss)
    settings = Training(schedule="plateau", decay=0.5, plateau_patience=2)
    assert float(state.plateau.scale) == 1
    state = step.lower_on_plateau(settings, state, 2.0)
    assert float(state.plateau.scale) == 0.5


def test_other_schedules_do_not_heed_validations():
    assert scales([1.0, 2.0, 3.0], schedule="constant", plateau_patience=1) == [1] * 3


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_what_the_settings_accept_can_start(schedule):
    try:
        settings = Training(schedule=schedule, decay=1.0)
    except InputError:
        return
    assert float(step._plateau(settings).init(()).scale) == 1
