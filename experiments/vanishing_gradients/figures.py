"""The pictures of the studies, each a matplotlib `Figure` made from plain numbers.

A name has one colour, dash and marker in all panels, so that lines are told apart by
colour-blind readers and in grey print too. Legends stand above the panels, never on
data. A band is the whole range of the seeds, and a line their median.

Intervals: Wilson, Probable inference, the law of succession, and statistical inference,
1927, https://doi.org/10.2307/2276774.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, PercentFormatter
from matplotlib.transforms import ScaledTranslation
from scipy.stats import binomtest

from rnnlab.files import write_atomic

# Okabe and Ito's colours, without the yellow that is lost on white.
COLOURS = "#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9"
DASHES = "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5))
MARKERS = "o", "s", "^", "D", "v", "P", "X"
ACROSS = 3  # panels in a row, at most
DODGE = 4.0, 2.0  # points between methods, right and up


class Digits(LogFormatter):
    """Writes 0.12 and 10, where LogFormatter has 1e-01 for all from 0.1 to 0.15."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Returns the label of a tick, empty where it has none."""
        return f"{x:g}" if super().__call__(x, pos) else ""


def wilson(successes: int, runs: int) -> tuple[float, float]:
    """Returns the ends of Wilson's 95 % interval of a success rate, within 0 to 1.

    Raises:
        ValueError: there are no runs, or fewer than successes.
    """
    low, high = binomtest(successes, runs).proportion_ci(method="wilson")
    return float(low), float(high)


def success(
    results: Mapping[str, Mapping[str, Mapping[float, tuple[int, int]]]],
) -> Figure:
    """Returns success rates against length, with Wilson's 95 % intervals.

    Where methods do equally well their lines would cover each other: each is moved by a
    few points, along both axes, from where its numbers are.

    Args:
        results: panel -> method -> length in steps -> (successes, runs). A length
            without runs is left out.
    """
    figure, panels = _panels(
        results, "sequence length (steps)", "successful runs (95 % interval)"
    )
    styles = _styles(results.values())
    for axes, methods in zip(panels, results.values(), strict=True):
        for name, rates in methods.items():
            points = [(x, k, n) for x, (k, n) in sorted(rates.items()) if n]
            ends = np.array([wilson(k, n) for _, k, n in points]).reshape(-1, 2)
            rate = np.array([k / n for _, k, n in points])
            place = [*styles].index(name) - (len(styles) - 1) / 2
            right, up = (place * by / 72 for by in DODGE)
            moved = ScaledTranslation(right, up, figure.dpi_scale_trans)
            axes.errorbar(
                [x for x, _, _ in points],
                rate,
                np.abs(ends.T - rate),
                transform=axes.transData + moved,
                label=name,
                capsize=2.5,
                elinewidth=1,
                **styles[name],
            )
        lengths = sorted({x for rates in methods.values() for x in rates}) or [0]
        beside = 0.12 * (lengths[-1] - lengths[0]) or 1
        axes.set_xlim(lengths[0] - beside, lengths[-1] + beside)
        if len(lengths) <= 8:
            axes.set_xticks(lengths, [f"{x:g}" for x in lengths])
        axes.set_ylim(-0.05, 1.05)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    return _with_legend(figure)


def curves(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[tuple[float, float | None]]]]],
    floor: float | None,
    ylabel: str,
    log: bool = True,
    floor_name: str = "analytic floor",
    xlabel: str = "updates",
) -> Figure:
    """Returns learning curves: the median over seeds in the range of all seeds.

    A run that ended early keeps its last value. One that diverged counts as infinite,
    and a median or a range that is infinite leaves a gap.

    Args:
        panels: panel -> variant -> for each seed, (updates, value); a value that is
            None or not finite is one of a run that diverged.
        floor: the least value there can be, or another mark under `floor_name`, drawn
            as a dashed line; None for none.
        ylabel: what the values are, and their unit.
        log: whether they stand on a logarithmic axis.
        floor_name: what the legend calls the floor, before its value.
        xlabel: what stands in the place of updates.
    """
    aligned = {
        panel: {name: _aligned(seeds) for name, seeds in variants.items()}
        for panel, variants in panels.items()
    }
    level = None if floor is None else (floor, f"{floor_name}, {floor:.4g}")
    return _lines(aligned, xlabel, ylabel, log, level)


def by_lag(
    panels: Mapping[str, Mapping[str, np.ndarray]],
    ylabel: str = "norm of the gradient",
) -> Figure:
    """Returns norms against lag, on a logarithmic axis; lag 0 is the loss's own step.

    A norm of zero, beneath what a float can hold, ends its line.

    Args:
        panels: panel -> name -> norms, [seeds, lags].
        ylabel: what they are.
    """
    numbered = _numbered(panels, 0)
    return _lines(numbered, "lag (steps before the loss)", ylabel, True, None)


def spectra(
    panels: Mapping[str, Mapping[str, np.ndarray]],
    neutral: float,
    ylabel: str,
    log: bool,
    neutral_name: str = "neither grows nor shrinks",
    xlabel: str = "rank",
) -> Figure:
    """Returns singular values or exponents against their rank, from 1.

    Args:
        panels: panel -> name -> values, largest first, [seeds, values].
        neutral: of a map that keeps all lengths, drawn as a dashed line: 1 for singular
            values, 0 for Lyapunov exponents.
        ylabel: what they are, and their unit.
        log: whether they stand on a logarithmic axis.
        neutral_name: what the legend calls the neutral value, before it.
        xlabel: what stands in the place of the rank.
    """
    level = neutral, f"{neutral_name}, {neutral:g}"
    return _lines(_numbered(panels, 1), xlabel, ylabel, log, level)


def heat(
    values: np.ndarray,
    x: Sequence[float],
    y: Sequence[float],
    xlabel: str,
    ylabel: str,
    label: str,
    centre: float | None = None,
    title: str = "",
) -> Figure:
    """Returns a heat map of cells of one size, grey where a value is not finite.

    Args:
        values: [y, x], the first row at the bottom.
        x: what the columns stand for.
        y: what the rows stand for.
        xlabel: what `x` is, and its unit.
        ylabel: what `y` is, and its unit.
        label: what the values are, and their unit.
        centre: the value from which colours diverge, to blue below and red above; None
            for colours that go from dark to light.
        title: above the map.

    Raises:
        ValueError: the values' shape is not that of `y` and `x`.
    """
    values = np.asarray(values, np.float64)
    if values.shape != (len(y), len(x)):
        raise ValueError(
            f"A heat map of {len(y)} y and {len(x)} x needs values of shape"
            f" {(len(y), len(x))}, got {values.shape}."
        )
    figure, (axes,) = _panels([title], xlabel, ylabel)
    shown = axes.imshow(
        np.ma.masked_invalid(values),
        aspect="auto",
        interpolation="none",
        origin="lower",
        cmap="cividis" if centre is None else "RdBu_r",
        norm=None if centre is None else CenteredNorm(centre),
    )
    axes.set_facecolor("0.75")
    axes.grid(False)
    for axis, names in ((axes.xaxis, x), (axes.yaxis, y)):
        ticks = range(0, len(names), math.ceil(len(names) / 10))
        axis.set_ticks(ticks, [f"{names[tick]:g}" for tick in ticks])
    figure.colorbar(shown, label=label)
    return figure


def save(figure: Figure, folder: Path, name: str) -> None:
    """Writes `name`.png and `name`.svg: the same bytes for a figure made anew.

    One that is drawn again is laid out again, and may move by a thousandth of a point.

    Raises:
        StorageError: one cannot be written.
    """
    write_atomic(folder / f"{name}.png", _bytes(figure, "png", {"Software": None}))
    write_atomic(folder / f"{name}.svg", svg(figure))


def svg(figure: Figure) -> bytes:
    """Returns a figure as an SVG file, its text as outlines."""
    return _bytes(figure, "svg", {"Date": None, "Creator": None})


def _bytes(figure: Figure, kind: str, metadata: Mapping[str, None]) -> bytes:
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "rnnlab"}):
        figure.savefig(file, format=kind, metadata=dict(metadata))
    return file.getvalue()


def _panels(
    titles: Iterable[str], xlabel: str, ylabel: str
) -> tuple[Figure, list[Axes]]:
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


def _styles(panels: Iterable[Iterable[str]]) -> dict[str, dict[str, Any]]:
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


def _lines(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    xlabel: str,
    ylabel: str,
    log: bool,
    level: tuple[float, str] | None,
) -> Figure:
    """Returns panel -> name -> (x, values [seeds, x]) as medians in their ranges."""
    figure, drawn = _panels(panels, xlabel, ylabel)
    styles = _styles(panels.values())
    for axes, lines in zip(drawn, panels.values(), strict=True):
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(Digits())
            axes.yaxis.set_minor_formatter(Digits(minor_thresholds=(1, 0.4)))
        for name, (x, values) in lines.items():
            values = np.where(np.isfinite(values), values, np.inf)
            values = np.where(values > (0 if log else -np.inf), values, -np.inf)
            # Of -inf and inf: a median that is on neither side of all numbers.
            with np.errstate(invalid="ignore"):
                middle = np.median(values, axis=0)
            low, high = values.min(axis=0), values.max(axis=0)
            axes.plot(
                x,
                np.where(np.isfinite(middle), middle, np.nan),
                label=name,
                markevery=max(1, len(x) // 8),
                **styles[name],
            )
            axes.fill_between(
                x,
                low,
                high,
                where=np.isfinite(low) & np.isfinite(high),
                color=styles[name]["color"],
                alpha=0.15,
                linewidth=0,
            )
        if level is not None:
            value, label = level
            axes.axhline(value, color="0.4", linestyle="--", linewidth=1, label=label)
    return _with_legend(figure)


def _numbered(
    panels: Mapping[str, Mapping[str, np.ndarray]], first: int
) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Returns the lines with x: first, first + 1, ..."""
    return {
        panel: {
            name: (first + np.arange(np.shape(values)[-1]), np.asarray(values, float))
            for name, values in lines.items()
        }
        for panel, lines in panels.items()
    }


def _aligned(
    seeds: Sequence[Sequence[tuple[float, float | None]]],
) -> tuple[np.ndarray, np.ndarray]:
    """Returns all x, [n], and the values of all seeds there, [seeds, n]."""
    found = [np.array(seed, np.float64) for seed in seeds if len(seed)]  # None: NaN
    if not found:
        return np.empty(0), np.empty((1, 0))
    x = np.unique(np.concatenate([seed[:, 0] for seed in found]))
    places = (np.searchsorted(seed[:, 0], x, side="right") - 1 for seed in found)
    values = [
        seed[np.maximum(place, 0), 1] for seed, place in zip(found, places, strict=True)
    ]
    return x, np.array(values)


def _with_legend(figure: Figure) -> Figure:
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
