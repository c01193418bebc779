"""How much of a metric's order each setting explains, over a sweep's configurations."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats

from launch.groups import Group
from launch.parts.text import number, plain

FEWEST = 10  # configurations below which nothing is said


class Influence(NamedTuple):
    """Of one setting.

    Attributes:
        name: of the setting.
        strength: from 0 to 1.
        sign: of the rank correlation; 0 of a choice, which has no order.
    """

    name: str
    strength: float
    sign: int


def influences(groups: Sequence[Group]) -> list[Influence]:
    """Returns what each setting explains, the strongest first; [] of few groups.

    Of numbers it is Spearman's rank correlation with the metric; of a choice, the
    share of the metric's ranks that its values explain, as the root of eta squared:
    for a choice of two both are the same.
    """
    judged = [group for group in groups if len(group.values)]
    if len(judged) < FEWEST:
        return []
    metric = scipy.stats.rankdata([group.mean for group in judged])
    found = []
    for name in judged[0].settings:
        values = [group.settings[name] for group in judged]
        if len({repr(value) for value in values}) > 1 and np.ptp(metric) > 0:
            found.append(Influence(name, *_influence(values, metric)))
    return sorted(found, key=lambda one: -one.strength)


def bars(found: Sequence[Influence]) -> str:
    """Returns influences as a list of bars."""
    rows = "\n".join(
        f"<li><span>{plain(one.name)}</span>"
        f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rail" width="100" height="8"/>'
        f'<rect class="bar" width="{100 * one.strength:.1f}" height="8"/></svg>'
        f"<span>{'−' if one.sign < 0 else '+' if one.sign > 0 else ''}"
        f"{number(one.strength, 2)}</span></li>"
        for one in found
    )
    return f'<ol class="bars">\n{rows}\n</ol>'


def numeric(values: Sequence[object]) -> bool:
    """Returns whether all values are numbers."""
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def _influence(values: Sequence[object], metric: np.ndarray) -> tuple[float, int]:
    if numeric(values):
        found = scipy.stats.spearmanr(np.array(values, np.float64), metric).statistic
        return abs(float(found)), int(np.sign(found))
    keys = np.array([repr(value) for value in values])
    between = sum(
        (keys == key).sum() * (metric[keys == key].mean() - metric.mean()) ** 2
        for key in np.unique(keys)
    )
    return math.sqrt(between / ((metric - metric.mean()) ** 2).sum()), 0
