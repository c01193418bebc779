"""Points as one program: which go together, and what its command is told."""

import pytest
from absl import flags

import experiments
from launch.flags import define, parse, read
from launch.records import Record, arguments
from launch.sweeping import grouped
from launch.sweeping.jobs import Job, Together
from launch.sweeping.points import Plan, expand
from launch.sweeping.space import Settings
from rnnlab.options import flat, replaced

BASE = replaced(experiments.config("language_modeling")(), {"features": 8, "steps": 7})


def jobs(plan, most, tmp_path, base=BASE):
    found = expand("language_modeling", base, plan, False)
    singles = [
        Job(
            point.key,
            point.name,
            tuple(arguments(Record("language_modeling", point.config))),
            tmp_path / point.key,
        )
        for point in found
    ]
    return found, grouped.jobs(found, singles, most)


@pytest.mark.parametrize(
    ("plan", "most", "sizes"),
    [
        (Plan(seeds=5), 8, [5]),
        (Plan(seeds=5), 2, [2, 2, 1]),
        (Plan(grid="cell=lstm,gru", seeds=3), 8, [3, 3]),
        (Plan(grid="cell=lstm,gru;learning_rate=0.1,0.2", seeds=2), 8, [4, 4]),
        (Plan(grid="dropout=0,0.2;learning_rate=0.1,0.2", seeds=2), 8, [8]),
        (Plan(grid="features=4,8"), 8, [1, 1]),
        (Plan(ranges="learning_rate=log:1e-4..1;cell=gru", random=6), 4, [4, 2]),
    ],
)
def test_points_that_are_alike_go_together(tmp_path, plan, most, sizes):
    found, made = jobs(plan, most, tmp_path)
    assert [len(job.points) for job in made] == sizes
    keys = [point.key for job in made for point in job.points]
    assert sorted(keys) == sorted(point.key for point in found)
    assert all(isinstance(job, Together) == (len(job.points) > 1) for job in made)


def test_the_command_gives_each_point_its_settings_back(tmp_path):
    """Its rates to the last digit: their hash names the workdirs."""
    rates = "learning_rate=0.1,0.30000000000000004,1e-5"
    plan = Plan(grid=f"{rates};dropout=0.1,0.2", seeds=2)
    base = replaced(BASE, {"seed": 3, "learning_rate": 0.7})
    found, (job,) = jobs(plan, 12, tmp_path, base)
    _, _, module, *given = job.command
    assert module == "launch.together" and f"--runs={tmp_path}" in given
    known = flags.FlagValues()
    define(type(BASE)(), known)
    flags.DEFINE_string("members", None, "", flag_values=known)
    flags.DEFINE_string("runs", None, "", flag_values=known)
    parse(["together", *given], known)
    shared = read(type(BASE), known)
    own = Settings(shared).members("members", known.members)
    made = [replaced(shared, values) for values in own]
    assert [flat(config) for config in made] == [flat(p.config) for p in found]
