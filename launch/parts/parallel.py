"""Parallel coordinates: a line for each configuration, across its settings."""

import math
from collections.abc import Sequence

import numpy as np

from launch.groups import Group, shown
from launch.parts.importance import numeric
from launch.parts.text import number, plain

AXES = 8  # at most, the metric's among them
WIDTH, TOP, BOTTOM, HEIGHT, SIDE = 960, 44, 330, 350, 70  # of the drawing
FACTOR = 20  # between values, from which on their logarithms are drawn
ROOM = 18  # between the names of two values
SHADES = 5  # from the best to the worst


class Axis:
    """The values of one setting, from the bottom to the top.

    Numbers stand where they are, or where their logarithms are if they span a
    factor of 20 or more; other values one above the other.
    """

    def __init__(self, name: str, values: Sequence[object]):
        self.name = name
        known = sorted(set(values), key=str)
        if numeric(known):
            log = min(known) > 0 and max(known) / min(known) >= FACTOR
            self._order = {v: math.log(v) if log else float(v) for v in known}
        else:
            self._order = {value: float(k) for k, value in enumerate(known)}

    def height(self, value: object) -> float:
        """Returns where a value stands, from the top of the drawing."""
        low, high = min(self._order.values()), max(self._order.values())
        share = (self._order[value] - low) / (high - low) if high > low else 0.5
        return BOTTOM - share * (BOTTOM - TOP)

    def labels(self) -> list[tuple[float, object]]:
        """Returns heights and values that have room for their names."""
        places = [(self.height(value), value) for value in self._order]
        every = sorted(places, key=lambda place: place[0])
        if len(every) < 3:
            return every
        kept, end = [every[0]], every[-1][0]
        for place in every[1:-1]:
            if min(place[0] - kept[-1][0], end - place[0]) >= ROOM:
                kept.append(place)
        return [*kept, every[-1]]


def drawing(groups: Sequence[Group], names: Sequence[str], metric: str) -> str:
    """Returns the picture as SVG; the metric's axis is the last, lines by its rank."""
    judged = [group for group in groups if len(group.values)]
    axes = [
        Axis(name, [group.settings[name] for group in judged])
        for name in names[: AXES - 1]
    ]
    axes.append(Axis(metric, [group.mean for group in judged]))
    across = np.linspace(SIDE, WIDTH - SIDE, len(axes))
    lines = []
    for rank, group in reversed(list(enumerate(judged))):  # the best on top
        values = [*(group.settings[axis.name] for axis in axes[:-1]), group.mean]
        heights = [axis.height(v) for axis, v in zip(axes, values, strict=True)]
        points = " ".join(
            f"{x:.0f},{y:.1f}" for x, y in zip(across, heights, strict=True)
        )
        told = f"{group.name}: {number(group.mean, 5)}"
        lines.append(
            f'<polyline class="q{rank * SHADES // len(judged)}" points="{points}">'
            f"<title>{plain(told)}</title></polyline>"
        )
    rails = [_rail(x, axis) for x, axis in zip(across, axes, strict=True)]
    label = f"Configurations across {', '.join(axis.name for axis in axes)}"
    return (
        f'<svg class="parallel" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{plain(label)}">\n{"".join(lines)}{"".join(rails)}</svg>'
    )


def _rail(x: float, axis: Axis) -> str:
    marks = "".join(
        f'<text x="{x + 6:.0f}" y="{y + 4:.1f}">{plain(_label(value))}</text>'
        for y, value in axis.labels()
    )
    return (
        f'<line x1="{x:.0f}" y1="{TOP}" x2="{x:.0f}" y2="{BOTTOM}"/>'
        f'<text class="name" x="{x:.0f}" y="22">{plain(axis.name)}</text>{marks}'
    )


def _label(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else shown(value)
    return text if len(text) <= 14 else f"{text[:13]}…"
