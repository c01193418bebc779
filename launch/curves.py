"""Draws `curves.png`: loss, gradient norm and learning rate of a run over its steps."""

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.drawing import COLOURS, logarithmic, write
from rnnlab.errors import shown
from rnnlab.training.writers import METRICS, read_metrics

# Okabe and Ito's colours: told apart by colour-blind readers and in grey print.
BLUE, VERMILION, GREEN, *_ = COLOURS
PURPLE = "#882255"


def draw(workdir: Path) -> None:
    """Draws `workdir/curves.png` from `workdir/metrics.jsonl`.

    Training rows hold loss, grad_norm and learning_rate; validation rows hold
    valid_loss. A value that is not finite, in float32, leaves a gap.

    Raises:
      InputError: The metrics cannot be read.
      StorageError: The picture cannot be written.
    """
    rows = read_metrics(workdir / METRICS)
    figure = Figure(figsize=(8, 8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    losses, norms, rates = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))

    _line(losses, *_series(rows, "loss"), "training", BLUE)
    steps, valid = _series(rows, "valid_loss")
    _line(losses, steps, valid, "validation", VERMILION)
    if np.isfinite(valid).any():
        best = int(np.nanargmin(valid))
        losses.plot(
            steps[best],
            valid[best],
            linestyle="",
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor="black",
            label=f"validation minimum, {valid[best]:.4f} at step {steps[best]:,}",
            zorder=4,
        )
    losses.set_ylabel("loss (nats a token)")

    steps, norm = _series(rows, "grad_norm")
    _line(norms, steps, np.where(norm > 0, norm, math.nan), "gradient norm", GREEN)
    logarithmic(norms.yaxis)
    norms.set_ylabel("gradient norm")

    _line(rates, *_series(rows, "learning_rate"), "learning rate", PURPLE)
    rates.set_ylabel("learning rate")
    rates.set_xlabel("step")

    for axes in (losses, norms, rates):
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    if losses.get_legend_handles_labels()[0]:
        # Above the panel: inside it, a legend would sooner or later cover a curve.
        losses.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    figure.align_ylabels()
    # As it is: a $ in a name begins no formula.
    figure.suptitle(shown(workdir.resolve().name), parse_math=False)
    write(figure, workdir / "curves.png")


def _series(rows: list[dict[str, float]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns steps and values of the rows that have `name`; not finite is NaN."""
    found = [(row["step"], row[name]) for row in rows if name in row]
    values = np.array([value for _, value in found], dtype=np.float64)
    values[~(np.abs(values) <= np.finfo(np.float32).max)] = math.nan
    return np.array([step for step, _ in found], dtype=np.int64), values


def _line(
    axes: Axes, steps: np.ndarray, values: np.ndarray, label: str, colour: str
) -> None:
    if np.isfinite(values).any():
        # Few points are marked too: one alone, or between gaps, makes no line.
        few = "." if len(steps) <= 60 else ""
        width = 1.8 if len(steps) <= 600 else 0.9
        axes.plot(steps, values, color=colour, label=label, marker=few, linewidth=width)
