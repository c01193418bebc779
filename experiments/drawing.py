"""What all pictures share: panels, line styles, a legend above them, and files.

A name has one colour, dash and marker in all panels, so that lines are told apart by
colour-blind readers and in grey print too. Legends stand above the panels, never on
data. A band is the whole range of the seeds, and a line their median.
"""

import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from rnnlab.files import write_atomic

# Okabe and Ito's colours, without the yellow that is lost on white.
COLOURS = "#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9"
DASHES = "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5))
MARKERS = "o", "s", "^", "D", "v", "P", "X"
ACROSS = 3  # panels in a row, at most
METADATA = {".png": ["Software"], ".svg": ["Date", "Creator"]}  # what is left out


class Digits(LogFormatter):
    """Writes 0.12 and 10, where LogFormatter has 1e-01 for all from 0.1 to 0.15."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Returns the label of a tick, empty where it has none."""
        return f"{x:g}" if super().__call__(x, pos) else ""


def logarithmic(axis: Axis) -> None:
    """Makes an axis logarithmic, with plain numbers at its ticks."""
    scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    scale("log")
    axis.set_major_formatter(Digits())
    axis.set_minor_formatter(Digits(minor_thresholds=(1, 0.4)))


def blank(titles: Iterable[str], xlabel: str, ylabel: str) -> tuple[Figure, list[Axes]]:
    """Returns a figure with an empty panel for each title, on common axes."""
    titles = list(titles)
    rows = max(1, math.ceil(len(titles) / ACROSS))
    columns = max(1, math.ceil(len(titles) / rows))
    figure = Figure(figsize=(8, 1.2 + 2.8 * rows), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, title in zip(grid.flat, titles, strict=False):
        axes.set_title(title, fontsize=10)
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.flat[len(titles) :]:
        axes.set_axis_off()
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    return figure, list(grid.flat[: len(titles)])


def styles(panels: Iterable[Iterable[str]]) -> dict[str, dict[str, Any]]:
    """Returns how the line of each name looks, by the order of first appearance."""
    names = dict.fromkeys(name for panel in panels for name in panel)
    return {
        name: {
            "color": COLOURS[place % len(COLOURS)],
            "linestyle": DASHES[place % len(DASHES)],
            "marker": MARKERS[place % len(MARKERS)],
            "markersize": 4.5,
            "linewidth": 1.6,
        }
        for place, name in enumerate(names)
    }


def lines(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    xlabel: str,
    ylabel: str,
    log: bool,
    level: tuple[float, str] | None,
) -> Figure:
    """Returns panel -> name -> (x, values [seeds, x]) as medians in their ranges.

    On a logarithmic axis a range that leaves the medians behind, by a factor of a
    thousand, leaves the picture.
    """
    figure, drawn = blank(panels, xlabel, ylabel)
    looks = styles(panels.values())
    for axes, of_panel in zip(drawn, panels.values(), strict=True):
        if log:
            logarithmic(axes.yaxis)
        tops = []
        for name, (x, values) in of_panel.items():
            values = np.where(np.isfinite(values), values, np.inf)
            values = np.where(values > (0 if log else -np.inf), values, -np.inf)
            # Of -inf and inf: a median that is on neither side of all numbers.
            with np.errstate(invalid="ignore"):
                middle = np.median(values, axis=0)
            low, high = values.min(axis=0), values.max(axis=0)
            ends = (middle, high)
            tops.append([np.max(v, initial=0, where=v < np.inf) for v in ends])
            axes.plot(
                x,
                np.where(np.isfinite(middle), middle, np.nan),
                label=name,
                markevery=max(1, len(x) // 8),
                **looks[name],
            )
            axes.fill_between(
                x,
                low,
                high,
                where=np.isfinite(low) & np.isfinite(high),
                color=looks[name]["color"],
                alpha=0.15,
                linewidth=0,
            )
        if level is not None:
            value, label = level
            axes.axhline(value, color="0.4", linestyle="--", linewidth=1, label=label)
        highest, range_end = np.max(tops, axis=0)
        if log and range_end > 1000 * highest > 0:
            axes.set_ylim(top=10 * highest)
    return with_legend(figure)


def with_legend(figure: Figure) -> Figure:
    """Returns the figure with one legend for all panels, above them."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        # Of a line's 110 letters, 10 go to the sample and the space around it.
        widths = [len(label) + 10 for label in found]
        fitting = len(found) if sum(widths) <= 110 else max(1, 110 // max(widths))
        figure.legend(
            found.values(),
            found.keys(),
            loc="outside upper center",
            ncols=fitting,
            frameon=False,
            handlelength=3,
            fontsize=9,
        )
    return figure


def save(figure: Figure, folder: Path, name: str) -> None:
    """Writes `name`.png and `name`.svg: the same bytes for a figure made anew.

    One that is drawn again is laid out again, and may move by a thousandth of a point.

    Raises:
        StorageError: one cannot be written.
    """
    for kind in METADATA:
        write(figure, folder / f"{name}{kind}")


def write(figure: Figure, path: Path) -> None:
    """Writes a figure as what its path ends in says, `.png` or `.svg`.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(path, encoded(figure, path.suffix))


def encoded(figure: Figure, kind: str) -> bytes:
    """Returns a figure as the file of a kind; the text of an `.svg` is outlines."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "rnnlab"}):
        figure.savefig(file, format=kind[1:], metadata=dict.fromkeys(METADATA[kind]))
    return file.getvalue()
