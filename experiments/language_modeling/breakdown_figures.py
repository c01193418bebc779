"""Draws where the nats of a text go, and how far the model's confidence is right."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from experiments import drawing
from experiments.language_modeling.breakdown import Bin, Group


def costs(panels: Mapping[str, Sequence[Group]]) -> Figure:
    """Returns a panel of groups for each title: mean nats, and shares of all nats."""
    figure, drawn = drawing.blank(panels, "", "nats a token")
    for axes, groups in zip(drawn, panels.values(), strict=True):
        heights = [group.mean for group in groups]
        bars = axes.bar(range(len(groups)), heights, color=drawing.COLOURS[0])
        shares = [_percent(group.share) for group in groups]
        axes.bar_label(bars, shares, rotation=90, fontsize=8, padding=2)
        axes.margins(y=0.12)
        names = [group.name.replace(" to ", "–") for group in groups]
        axes.set_xticks(range(len(groups)), names, rotation=60, ha="right")
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(visible=False, axis="x")
    figure.suptitle("Above each bar: its share of all nats", fontsize=9)
    return figure


def confidence(bins: Sequence[Bin]) -> Figure:
    """Returns how often the likeliest token is right, and how often it is that sure."""
    titles = "how often it is right", "how often it is that sure"
    figure, (right, sure) = drawing.blank(
        titles, "probability of the likeliest token", "share"
    )
    filled = [b for b in bins if b.count]
    total = sum(b.count for b in filled)
    blue, vermilion, *_ = drawing.COLOURS
    right.plot([0, 1], [0, 1], color="0.4", linestyle="--", label="as sure as right")
    right.plot(
        [b.confidence for b in filled],
        [b.accuracy for b in filled],
        color=blue,
        marker="o",
        label="the model",
    )
    middles = [(b.low + b.high) / 2 for b in filled]
    widths = [0.9 * (b.high - b.low) for b in filled]
    sure.bar(middles, [b.count / total for b in filled], widths, color=vermilion)
    for axes in (right, sure):
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(0, 1.02)
    return drawing.with_legend(figure)


def _percent(share):
    """Returns a share in few letters."""
    return f"{share:.0%}" if share >= 0.01 else "<1%"
