"""What a sweep varies, from its text: values, ranges, draws, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import experiments
from launch.sweeping import space
from launch.sweeping.space import Choice, Range, Settings
from rnnlab.errors import InputError
from rnnlab.options import flat

SETTINGS = Settings(experiments.config("language_modeling")())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("cell=lstm,gru", {"cell": ("lstm", "gru")}),
        (" cell = gru ;features=1, 2", {"cell": ("gru",), "features": (1, 2)}),
        ("dropout=0,0.5;", {"dropout": (0.0, 0.5)}),
        ("clip_norm=none,1", {"clip_norm": (None, 1.0)}),
        ("tied=true,false", {"tied": (True, False)}),
        ("learning_rate=1e-3", {"learning_rate": (0.001,)}),
        ("data=/a/b.txt,c", {"data": ("/a/b.txt", "c")}),
        ("cutoffs=20,100", {"cutoffs": ("20,100",)}),
        (
            "cell_options=rounds=5,rank=84|rounds=5 ; cell=mogrifier_lstm",
            {
                "cell_options": ("rounds=5,rank=84", "rounds=5"),
                "cell": ("mogrifier_lstm",),
            },
        ),
    ],
)
def test_choices(text, wanted):
    found = SETTINGS.choices("grid", text)
    assert found == wanted and list(found) == list(wanted)
    assert [[*map(type, v)] for v in found.values()] == [
        [*map(type, v)] for v in wanted.values()
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dropout=0..0.5", Range(0.0, 0.5, log=False, whole=False)),
        ("learning_rate=log:1e-4..1e-1", Range(1e-4, 1e-1, log=True, whole=False)),
        ("features=16..64", Range(16.0, 64.0, log=False, whole=True)),
        ("features=log:16..64", Range(16.0, 64.0, log=True, whole=True)),
        ("cell=lstm,gru", Choice(("lstm", "gru"))),
    ],
)
def test_axes(text, wanted):
    (found,) = SETTINGS.axes("ranges", text).values()
    assert found == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cel=lstm", "vary settings of the experiment, got 'cel'; did you mean cell?"),
        ("zzz=1", "got 'zzz'; --help lists them"),
        ("cell=lsm", "that --cell takes, got 'lsm': .*did you mean lstm"),
        ("features=x", "that --features takes, got 'x'"),
        ("features=1.5", "that --features takes, got '1.5'"),
        ("cell=lstm,lstm", "each value of cell once, got lstm twice"),
        ("dropout=0,0.0", "each value of dropout once, got 0 twice"),
        ("cell=lstm;cell=gru", "each setting once, got cell twice"),
        ("cell", "settings with values like .*, got 'cell'"),
        ("cell=", "settings with values like .*, got 'cell='"),
        ("=lstm", "settings with values like .*, got '=lstm'"),
        ("", "vary something like .*, got ''"),
        (" ; ", "vary something like"),
        ("dropout=0.5..0.1", "a range such as 0..0.5 of numbers that rise"),
        ("dropout=0.5..0.5", "of numbers that rise"),
        ("tied=false..true", "a range such as"),
        ("clip_norm=none..1", "a range such as"),
        ("dropout=log:0..1", "a range above 0 for its logarithm"),
        ("dropout=..1", "that --dropout takes, got ''"),
    ],
)
def test_what_is_refused(text, told):
    with pytest.raises(InputError, match=rf"--ranges must .*{told}"):
        SETTINGS.axes("ranges", text)


def test_a_grid_is_all_combinations_in_order():
    axes = {"a": (1, 2), "b": ("x", "y", "z")}
    found = list(space.grid(axes))
    assert space.size(axes) == len(found) == 6
    assert found[:4] == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 1, "b": "z"},
        {"a": 2, "b": "x"},
    ]
    assert list(space.grid({})) == [{}] and space.size({}) == 1


ends = st.floats(1e-6, 1e6).map(lambda x: float(f"{x:.3g}"))


@given(ends, ends, st.booleans(), st.integers(0, 99))
def test_numbers_stay_in_their_range(low, width, log, seed):
    axis = Range(low, low + width, log, whole=False)
    found = [axis.draw(np.random.default_rng((seed, k))) for k in range(20)]
    slack = 1e-3 * axis.high  # four digits
    assert all(axis.low - slack <= value <= axis.high + slack for value in found)
    assert all(value == float(f"{value:.4g}") for value in found)


@given(st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_both_ends_of_a_whole_range_are_drawn(low, width, log):
    axis = Range(low, low + width, log, whole=True)
    random = np.random.default_rng(0)
    found = {axis.draw(random) for _ in range(60 * (width + 1))}
    assert {low, low + width} <= found <= {*range(low, low + width + 1)}


@pytest.mark.parametrize(("log", "middle"), [(False, 50.5), (True, 10.0)])
def test_draws_are_uniform_on_their_scale(log, middle):
    axis = {"x": Range(1.0, 100.0, log, whole=False)}
    values = [draw["x"] for draw in space.draws(axis, 2000, seed=0)]
    assert np.median(values) == pytest.approx(middle, rel=0.15)
    above = np.mean([value > middle for value in values])
    assert abs(above - 0.5) < 3 / math.sqrt(2000)


def test_equal_draws_are_one():
    axes = SETTINGS.axes("ranges", "layers=1..3")
    counts = [len(space.draws(axes, count, seed=0)) for count in range(1, 40)]
    assert counts[0] == 1 and counts[-1] == 3 and counts == sorted(counts)
    drawn = [draw["layers"] for draw in space.draws(axes, 40, seed=0)]
    assert sorted(drawn) == [1, 2, 3]


def test_more_draws_begin_with_fewer():
    axes = SETTINGS.axes("ranges", "cell=lstm,gru;dropout=0..1;features=8..64")
    few, many = space.draws(axes, 5, seed=3), space.draws(axes, 9, seed=3)
    assert many[:5] == few and many != space.draws(axes, 9, seed=4)
    assert len({str(draw) for draw in many}) == 9


def test_every_setting_of_the_experiment_can_be_varied():
    config = experiments.config("language_modeling")()
    for name, value in flat(config.training).items():
        (values,) = SETTINGS.choices("grid", f"{name}={str(value).lower()}").values()
        assert values == (value,)
