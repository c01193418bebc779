"""The picture of a run whose learning rate rose, for launch.find_rate."""

import math

import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import COLOURS, blank, logarithmic, with_legend
from rnnlab.training.finder import WORSE, Tried, Verdict, smoothed

BLUE, VERMILION, GREEN, *_ = COLOURS


def figure(tried: Tried, found: Verdict, steps: int) -> Figure:
    """Returns the loss against the rate, and the rates that are suggested.

    Args:
        tried: the run.
        found: what it suggests.
        steps: for which it was planned.
    """
    made, (axes,) = blank([""], "learning rate", "loss (nats a token)")
    made.set_size_inches(8, 4.5)
    axes.plot(
        tried.rates, tried.losses, ".", color="0.6", markersize=4, label="each step"
    )
    axes.plot(tried.rates, smoothed(tried, steps), color=BLUE, label="smoothed")
    lines = (
        (found.steepest, "steepest fall", GREEN, "--"),
        (found.cautious, "a tenth of the lowest loss's", VERMILION, ":"),
    )
    for rate, label, colour, dash in lines:
        if rate is not None:
            axes.axvline(
                rate, color=colour, linestyle=dash, label=f"{label}: {rate:.2g}"
            )
    logarithmic(axes.xaxis)
    low, high = np.nanmin(tried.losses), WORSE * tried.losses[0]
    if math.isfinite(low) and math.isfinite(high) and low < high:
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return with_legend(made)


def plain(values: np.ndarray) -> list[float | None]:
    """Returns numbers as JSON has them: null for what is not finite."""
    return [float(value) if math.isfinite(value) else None for value in values]
