"""Runs that differ in their seed alone, as one: mean, spread, and against a base."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from launch.runs import Run
from rnnlab.errors import InputError
from rnnlab.options import nearest

SEED = "seed"
BETTER = {"min": 1.0, "max": -1.0}


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one configuration.

    Attributes:
        settings: those that differ among all runs, but for the seed.
        runs: by seed.
        values: of the metric, in the order of the runs that have it, one a seed.
        twice: runs with a figure that is left out, since one of that seed is there.
    """

    settings: Mapping[str, Any]
    runs: Sequence[Run]
    values: np.ndarray
    twice: int = 0

    @property
    def name(self) -> str:
        """The settings in a line, empty where nothing differs."""
        return ", ".join(f"{k}={shown(v)}" for k, v in self.settings.items())

    @property
    def mean(self) -> float:
        """Of the values; NaN where there are none."""
        return float(self.values.mean()) if len(self.values) else math.nan

    @property
    def spread(self) -> float:
        """The standard deviation over seeds; NaN below two."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else math.nan


class Difference(NamedTuple):
    """A group against the base, by Welch's t-test.

    Attributes:
        mean: the group's mean less the base's.
        low: of the 95 % confidence interval of that; NaN below two runs a side.
        high: of it.
        p: how probable a difference as large is where there is none; NaN likewise.
    """

    mean: float
    low: float
    high: float
    p: float


def varied(runs: Sequence[Run]) -> list[str]:
    """Returns the names of the settings that differ among runs, in their order."""
    every = [run.settings for run in runs]
    names = dict.fromkeys(name for settings in every for name in settings)
    missing = object()
    return [
        name
        for name in names
        if len({_key(settings.get(name, missing)) for settings in every}) > 1
    ]


def group(runs: Sequence[Run], metric: str, better: str = "min") -> list[Group]:
    """Returns runs by configuration, the best mean first, those without a mean last.

    Args:
        runs: of any experiments.
        metric: a figure of the result, such as `valid.loss`.
        better: `min` or `max`.
    """
    names = [name for name in varied(runs) if name != SEED]
    found: dict[str, list[Run]] = {}
    for run in runs:
        own = {name: run.settings.get(name) for name in names}
        found.setdefault(_key(own), []).append(run)
    groups = []
    for same in found.values():
        same = sorted(same, key=lambda run: run.settings.get(SEED, 0))
        own = {name: same[0].settings.get(name) for name in names}
        figures: dict[Any, float] = {}
        twice = 0
        for run in same:
            value = run.figure(metric) if run.state == "finished" else None
            if value is not None:
                twice += run.settings.get(SEED) in figures
                figures.setdefault(run.settings.get(SEED), value)
        values = np.array(list(figures.values()), np.float64)
        groups.append(Group(own, same, values, twice))
    sign = BETTER[better]
    return sorted(groups, key=lambda g: (math.isnan(g.mean), sign * g.mean))


def base(groups: Sequence[Group], text: str) -> Group:
    """Returns the group that `text` singles out: `name=value,...`.

    Raises:
        InputError: no group has these settings, or several.
    """
    asked = _asked(groups, text)
    for name, value in asked.items():
        values = sorted({shown(g.settings[name]) for g in groups if name in g.settings})
        if value not in values:
            known = groups[0].settings if groups else {}
            meant = nearest(value, values) if values else nearest(name, known)
            have = f"{name} is {' or '.join(values)}" if values else "all runs share it"
            raise InputError(
                f"--base must name values of settings that differ, got {name}={value},"
                f" but {have}{meant or '.'}"
            )
    fits = [
        g
        for g in groups
        if all(shown(g.settings[name]) == value for name, value in asked.items())
    ]
    if len(fits) != 1:
        raise InputError(
            f"--base must single out one configuration, but {len(fits)} fit; name"
            f" values of {', '.join(groups[0].settings)}."
        )
    return fits[0]


def _asked(groups: Sequence[Group], text: str) -> dict[str, str]:
    """Returns settings by name; a value that has commas is put together again."""
    found: dict[str, str] = {}
    last = ""
    for part in text.split(","):
        longer = f"{found.get(last, '')},{part}"
        if any(shown(g.settings.get(last)).startswith(longer) for g in groups):
            found[last] = longer
            continue
        last, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InputError(
                f"--base must be settings such as cell=lstm, got {part!r:.80}."
            )
        found[last] = value
    return found


def of_run(groups: Sequence[Group], name: str | None) -> Group | None:
    """Returns the group with a run whose folder has this name, or None."""
    for one in groups:
        if any(run.folder.name == name for run in one.runs):
            return one
    return None


def compare(one: Group, base: Group) -> Difference:
    """Returns how a group differs from the base.

    Welch's t-test: two sided, variances not assumed equal, nothing corrected for the
    number of comparisons.
    """
    few = min(len(one.values), len(base.values)) < 2
    same = not few and one.spread == base.spread == 0
    if few or same:
        return Difference(one.mean - base.mean, math.nan, math.nan, math.nan)
    test = scipy.stats.ttest_ind(one.values, base.values, equal_var=False)
    low, high = test.confidence_interval(0.95)
    return Difference(one.mean - base.mean, float(low), float(high), float(test.pvalue))


def shown(value: Any) -> str:
    """Returns a value of a setting as a flag takes it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
    return str(value)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
