"""The points of a sweep: which there are, their names and folders, and its record."""

import dataclasses
import json

import pytest

import experiments
from launch.sweeping import points
from launch.sweeping.points import Plan, expand, key_of
from rnnlab.errors import IncompatibleCheckpoint, InputError
from rnnlab.options import flat, replaced

BASE = experiments.config("language_modeling")()


def names(plan, base=BASE):
    return [point.name for point in expand("language_modeling", base, plan, False)]


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        (
            Plan(grid="cell=lstm,gru;layers=1,2"),
            [
                "cell=lstm, layers=1",
                "cell=lstm, layers=2",
                "cell=gru, layers=1",
                "cell=gru, layers=2",
            ],
        ),
        (Plan(seeds=3), ["seed=0", "seed=1", "seed=2"]),
        (
            Plan(grid="cell=lstm,gru", seeds=2),  # a first look at all, then the rest
            [
                "cell=lstm, seed=0",
                "cell=gru, seed=0",
                "cell=lstm, seed=1",
                "cell=gru, seed=1",
            ],
        ),
        (
            Plan(ablate="dropout=0.5;clip_norm=none,1"),
            ["base", "dropout=0.5", "clip_norm=none", "clip_norm=1"],
        ),
        (Plan(grid="tied=true,false"), ["tied=true", "tied=false"]),
    ],
)
def test_names(plan, wanted):
    assert names(plan) == wanted


def test_each_draw_meets_each_point_of_the_grid():
    plan = Plan(grid="cell=lstm,gru", ranges="dropout=0..0.9", random=3, seeds=2)
    found = expand("language_modeling", BASE, plan, False)
    assert len(found) == 2 * 3 * 2
    drawn = {cell: set() for cell in ("lstm", "gru")}
    for point in found:
        drawn[point.config.cell].add(point.config.dropout)
    assert drawn["lstm"] == drawn["gru"] and len(drawn["gru"]) == 3


def test_a_point_has_the_settings_that_it_names():
    base = replaced(BASE, {"seed": 7, "features": 32})
    plan = Plan(grid="learning_rate=0.5;cell=gru", seeds=2)
    first, second = expand("language_modeling", base, plan, False)
    wanted = flat(base) | {"learning_rate": 0.5, "cell": "gru"}
    assert flat(first.config) == wanted and first.config.training.seed == 7
    assert flat(second.config) == wanted | {"seed": 8}


def test_an_ablation_reaches_the_cell():
    found = expand("language_modeling", BASE, Plan(ablate="forget_bias=0,2"), False)
    cells = [point.config.make_cells()[0] for point in found]
    assert [cell.forget_bias for cell in cells] == [1.0, 0.0, 2.0]


def test_the_key_is_that_of_the_settings_alone():
    """A fixed one, too: what it names lies on people's disks."""
    config = replaced(BASE, {"cell": "gru", "learning_rate": 0.01})
    key = key_of("language_modeling", config)
    assert key == "125a6fb682c8"
    assert key == key_of("language_modeling", replaced(BASE, flat(config)))
    others = [
        BASE,
        replaced(config, {"seed": 1}),
        replaced(config, {"clip_norm": None}),
    ]
    keys = {key_of("language_modeling", each) for each in others}
    assert len({key, *keys, key_of("another", config)}) == 5


def test_a_setting_that_comes_later_changes_no_key():
    @dataclasses.dataclass(frozen=True)
    class Old:
        features: int = 3

    @dataclasses.dataclass(frozen=True)
    class New:
        features: int = 3
        later: float = 0.5

    assert key_of("x", Old(5)) == key_of("x", New(5)) != key_of("x", New(5, 0.6))


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (Plan(), "needs --grid, --ranges with --random, --ablate or --seeds"),
        (Plan(grid=""), "needs --grid"),
        (Plan(ranges="dropout=0..1"), "--ranges came without --random; give both"),
        (Plan(random=3), "--random came without --ranges; give both"),
        (Plan(ablate="dropout=0.5", grid="cell=gru"), "run two sweeps"),
        (
            Plan(grid="cell=gru", ranges="cell=lstm,gru", random=2),
            "different settings, got cell in both",
        ),
        (Plan(grid="seed=1,2", seeds=2), "the seed is varied besides"),
        (Plan(ablate="dropout=0"), "must differ, but dropout=0 is base again"),
        (Plan(grid="features=0"), "features=0 cannot be run: --features must be above"),
        (
            Plan(grid="cell=lstm;engine=associative"),
            "cannot be run: --engine=associative needs",
        ),
        (Plan(grid="seed=0,4294967295", seeds=1), None),
        (Plan(seeds=1001), "at most 1,000 points .* has 1,001; pass --yes"),
    ],
)
def test_what_is_refused(plan, told):
    if told is None:
        assert len(names(plan)) == 2
        return
    with pytest.raises(InputError, match=told):
        names(plan)


def test_a_million_points_are_counted_before_they_are_made(monkeypatch):
    axis = ",".join(str(number) for number in range(1, 101))
    plan = Plan(grid=f"features={axis};batch_size={axis};length={axis}")
    with monkeypatch.context() as context:
        context.setattr(points, "Point", None)
        with pytest.raises(InputError, match="this one has 1,000,000; pass --yes"):
            names(plan)
    plan = Plan(grid=f"features={axis}", seeds=11)
    assert len(expand("language_modeling", BASE, plan, many=True)) == 1100


def write(folder, plan):
    found = expand("language_modeling", BASE, plan, False)
    points.write(folder, "language_modeling", BASE, plan, found)
    return found


def test_a_sweep_may_grow_and_not_become_another(tmp_path):
    assert points.read(tmp_path) == {}
    write(tmp_path, Plan(grid="cell=lstm", seeds=2))
    found = write(tmp_path, Plan(grid="cell=lstm,gru", seeds=3))
    kept = points.read(tmp_path)
    assert [point["run"] for point in kept["points"]] == [p.key for p in found]
    before = (tmp_path / points.SWEEP).read_text()
    with pytest.raises(IncompatibleCheckpoint, match=r"sweep of 6 points, of which 2 "):
        write(tmp_path, Plan(grid="cell=lstm,gru", seeds=2))
    assert (tmp_path / points.SWEEP).read_text() == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"points": 3}', "nonsense"])
def test_what_is_no_sweep_is_left_as_it_is(tmp_path, text):
    (tmp_path / points.SWEEP).write_text(text)
    with pytest.raises(InputError, match=r"sweep\.json should"):
        write(tmp_path, Plan(seeds=2))
    assert (tmp_path / points.SWEEP).read_text() == text


def test_the_record_says_what_was_asked(tmp_path):
    plan = Plan(ablate="dropout=0.5", seeds=2)
    found = write(tmp_path, plan)
    kept = json.loads((tmp_path / points.SWEEP).read_text())
    assert kept["plan"] == plan._asdict() and kept["experiment"] == "language_modeling"
    assert kept["base"] == found[0].key
    assert kept["points"][1] == {
        "run": found[1].key,
        "name": "dropout=0.5, seed=0",
        "changed": {"dropout": 0.5, "seed": 0},
    }
