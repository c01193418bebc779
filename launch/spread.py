"""The picture of a table: what each run of each configuration reached."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from experiments.drawing import COLOURS, METADATA, blank, with_legend
from launch.groups import Group, shown
from rnnlab import errors

BLUE, VERMILION, *_ = COLOURS


def check(path: Path) -> None:
    """Raises InputError where the name is not that of a picture."""
    if path.suffix not in METADATA:
        raise errors.InputError(
            f"--figure must be a file that ends in {' or '.join(METADATA)}, got"
            f" {str(path)!r:.80}."
        )


def figure(groups: Sequence[Group], metric: str, base: Group) -> Figure:
    """Returns a line for each configuration that has a value, from the top down.

    It shows the runs, their range and their mean; a dotted line is the base's.
    """
    groups = [group for group in groups if len(group.values)]
    names = telling(groups)
    made, (axes,) = blank([""], "", "")
    made.set_size_inches(8, 1 + 0.3 * len(groups))
    axes.axvline(base.mean, color="0.4", linestyle=":", linewidth=1, label="base")
    places = range(len(groups))
    low, high = zip(*((g.values.min(), g.values.max()) for g in groups), strict=True)
    axes.hlines(places, low, high, color=BLUE, linewidth=1)
    for place, group in zip(places, groups, strict=True):
        dots = group.values, [place] * len(group.values)
        axes.plot(*dots, "o", color=BLUE, markersize=4, label="a run")
    means = {place: g.mean for place, g in enumerate(groups) if len(g.values) > 1}
    if means:
        axes.plot(
            means.values(), means.keys(), "|", color=VERMILION, ms=13, label="mean"
        )
    labels = [
        ", ".join(f"{name}={shown(group.settings[name])}" for name in names)
        for group in groups
    ]
    axes.set_yticks(
        places, [errors.shown(label) for label in labels], fontsize=9, parse_math=False
    )
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlabel(metric)
    return with_legend(made)


def telling(groups: Sequence[Group]) -> list[str]:
    """Returns settings, the first ones rather than the last, that tell groups apart."""
    kept = list(groups[0].settings)
    for name in reversed(list(kept)):
        rest = [other for other in kept if other != name]
        seen = {tuple(shown(g.settings[other]) for other in rest) for g in groups}
        if len(seen) == len(groups):
            kept = rest
    return kept
