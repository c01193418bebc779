"""Runs by configuration: means, spreads, and Welch's test, against the formulas."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from workdirs import make

from launch import groups, runs, tables
from rnnlab.errors import InputError

LSTM, GRU = [1.0, 1.2, 1.1], [0.9, 0.95, 0.7, 0.85]


@pytest.fixture
def found(tmp_path):
    for cell, losses in {"lstm": LSTM, "gru": GRU}.items():
        for seed, loss in enumerate(losses):
            settings = {"cell": cell, "seed": seed, "features": 32}
            make(tmp_path / f"{cell}{seed}", settings, loss=loss)
    make(tmp_path / "gru9", {"cell": "gru", "seed": 9, "features": 32})
    make(tmp_path / "rhn", {"cell": "rhn", "features": 32}, events=[("failed", "x")])
    return runs.find(tmp_path)[0]


def test_varied_settings_are_those_that_differ(found):
    assert groups.varied(found) == ["cell", "seed"]
    assert groups.varied(found[:1]) == []


def test_groups_have_the_mean_and_spread_of_their_finished_runs(found):
    gru, lstm, rhn = groups.group(found, "valid.loss")
    assert [dict(g.settings) for g in (gru, lstm, rhn)] == [
        {"cell": cell} for cell in ("gru", "lstm", "rhn")
    ]
    for one, losses in ((gru, GRU), (lstm, LSTM)):
        assert one.values.tolist() == losses
        assert one.mean == pytest.approx(sum(losses) / len(losses), rel=1e-12)
        assert one.spread == pytest.approx(np.std(losses, ddof=1), rel=1e-12)
    assert len(gru.runs) == 5 and math.isnan(rhn.mean) and math.isnan(rhn.spread)
    best, *_ = groups.group(found, "valid.loss", better="max")
    assert best.settings == {"cell": "lstm"}


def test_compare_is_welchs_test_written_out(found):
    gru, lstm, rhn = groups.group(found, "valid.loss")
    difference = groups.compare(gru, lstm)
    a, b = np.var(GRU, ddof=1) / len(GRU), np.var(LSTM, ddof=1) / len(LSTM)
    error = math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(GRU) - 1) + b**2 / (len(LSTM) - 1))
    mean = np.mean(GRU) - np.mean(LSTM)
    reach = scipy.stats.t.ppf(0.975, freedom) * error
    p = 2 * scipy.stats.t.sf(abs(mean) / error, freedom)
    np.testing.assert_allclose(
        difference, (mean, mean - reach, mean + reach, p), rtol=1e-10
    )
    assert math.isnan(groups.compare(rhn, lstm).p)
    assert all(map(math.isnan, groups.compare(rhn, lstm)))


def test_one_run_a_side_has_a_difference_and_no_test(tmp_path):
    for seed, (cell, loss) in enumerate([("lstm", 1.0), ("gru", 0.5)]):
        make(tmp_path / str(seed), {"cell": cell}, loss=loss)
    gru, lstm = groups.group(runs.find(tmp_path)[0], "valid.loss")
    assert groups.compare(gru, lstm).mean == -0.5
    assert math.isnan(groups.compare(gru, lstm).p)


def test_equal_values_have_no_test(tmp_path):
    for k in range(4):
        settings = {"cell": ("lstm", "gru")[k % 2], "seed": k}
        make(tmp_path / str(k), settings, loss=1.0 + k % 2)
    gru, lstm = groups.group(runs.find(tmp_path)[0], "valid.loss", "max")
    assert gru.spread == lstm.spread == 0
    assert groups.compare(gru, lstm)[0] == 1.0
    assert math.isnan(groups.compare(gru, lstm).p)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("cell=gur", "got cell=gur, but cell is gru or lstm or rhn; .* mean gru"),
        ("cel=gru", "all runs share it; did you mean cell"),
        ("features=32", "got features=32, but all runs share it"),
        ("gru", "settings such as cell=lstm, got 'gru'"),
        ("", "settings such as cell=lstm, got ''"),
    ],
)
def test_a_base_that_is_none_is_refused(found, asked, told):
    every = groups.group(found, "valid.loss")
    assert groups.base(every, "cell=lstm").settings["cell"] == "lstm"
    with pytest.raises(InputError, match=told):
        groups.base(every, asked)


def test_a_base_may_have_commas_and_must_be_one(tmp_path):
    options = ["rounds=5,rank=84", "rounds=5,rank=8", "rounds=5"]
    for place, (given, layers) in enumerate(itertools.product(options, (1, 2))):
        settings = {"cell": "mogrifier_lstm", "cell_options": given, "layers": layers}
        make(tmp_path / str(place), settings, loss=place)
    every = groups.group(runs.find(tmp_path)[0], "valid.loss")
    for given, layers in itertools.product(options, (1, 2)):
        for text in (
            f"cell_options={given},layers={layers}",
            f"layers={layers}, cell_options={given}",
        ):
            found = groups.base(every, text).settings
            assert dict(found) == {"cell_options": given, "layers": layers}
    with pytest.raises(InputError, match="but 2 fit; name values of cell_options, la"):
        groups.base(every, "cell_options=rounds=5,rank=84")
    with pytest.raises(InputError, match="got rank=9, but all runs share it"):
        groups.base(every, "cell_options=rounds=5,rank=9")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (0.5, "0.5"),
        (1e-5, "1e-05"),
        (3, "3"),
        ("a", "a"),
    ],
)
def test_values_are_shown_as_flags_take_them(value, text):
    assert groups.shown(value) == text


def test_equal_runs_are_one(tmp_path):
    for place in ("x", "y"):
        for seed, loss in enumerate([1.0, 1.5]):
            make(tmp_path / place / str(seed), {"cell": "gru", "seed": seed}, loss=loss)
    make(tmp_path / "z", {"cell": "lstm"}, loss=2.0)
    gru, lstm = groups.group(runs.find(tmp_path)[0], "valid.loss")
    assert gru.values.tolist() == [1.0, 1.5] and gru.twice == 2 and len(gru.runs) == 4
    assert lstm.values.tolist() == [2.0] and lstm.twice == 0
    assert "are left out: 2." in tables.text(tables.read(tmp_path))
