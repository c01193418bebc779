"""The pictures of the studies, each a matplotlib `Figure` made from plain numbers.

Intervals: Wilson, Probable inference, the law of succession, and statistical inference,
1927, https://doi.org/10.2307/2276774.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from matplotlib.transforms import ScaledTranslation
from scipy.stats import binomtest

from experiments.drawing import COLOURS, blank, lines, logarithmic, styles, with_legend

DODGE = 4.0, 2.0  # points between methods, right and up


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
    figure, panels = blank(
        results, "sequence length (steps)", "successful runs (95 % interval)"
    )
    looks = styles(results.values())
    for axes, methods in zip(panels, results.values(), strict=True):
        for name, rates in methods.items():
            points = [(x, k, n) for x, (k, n) in sorted(rates.items()) if n]
            ends = np.array([wilson(k, n) for _, k, n in points]).reshape(-1, 2)
            rate = np.array([k / n for _, k, n in points])
            place = [*looks].index(name) - (len(looks) - 1) / 2
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
                **looks[name],
            )
        lengths = sorted({x for rates in methods.values() for x in rates}) or [0]
        beside = 0.12 * (lengths[-1] - lengths[0]) or 1
        axes.set_xlim(lengths[0] - beside, lengths[-1] + beside)
        if len(lengths) <= 8:
            axes.set_xticks(lengths, [f"{x:g}" for x in lengths])
        axes.set_ylim(-0.05, 1.05)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    return with_legend(figure)


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
    return lines(aligned, xlabel, ylabel, log, level)


def by_lag(
    panels: Mapping[str, Mapping[str, np.ndarray]],
    ylabel: str = "norm of the gradient",
    first: int = 0,
) -> Figure:
    """Returns norms against lag, on a logarithmic axis; lag 0 is the loss's own step.

    A norm of zero, beneath what a float can hold, ends its line.

    Args:
        panels: panel -> name -> norms, [seeds, lags].
        ylabel: what they are.
        first: the lag of the first norm.
    """
    numbered = _numbered(panels, first)
    return lines(numbered, "lag (steps before the loss)", ylabel, True, None)


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
    return lines(_numbered(panels, 1), xlabel, ylabel, log, level)


def dots(
    values: Mapping[str, Sequence[float | None]],
    xlabel: str,
    log: bool = False,
    level: tuple[float, str] | None = None,
    lost: str = "not solved",
) -> Figure:
    """Returns a row of dots a name, with their median as a bar; the first at the top.

    Args:
        values: of each seed or trial; None for one that has none, which is a cross at
            the right edge.
        xlabel: what they are, and their unit.
        log: whether they stand on a logarithmic axis.
        level: a value to compare with, drawn as a dashed line, and its name.
        lost: what the legend calls the crosses.
    """
    figure, (axes,) = blank([""], xlabel, "")
    figure.set_size_inches(8, 1.6 + 0.26 * len(values))
    known = [v for row in values.values() for v in row if v is not None] or [1.0]
    edge = max(known) * 1.6 if log else max(known) + 0.2 * (max(known) - min(known))
    if log:
        logarithmic(axes.xaxis)
    for place, row in enumerate(values.values()):
        found = [v for v in row if v is not None]
        axes.plot(found, [place] * len(found), "o", color=COLOURS[0], alpha=0.6)
        if missing := len(row) - len(found):
            offsets = place + 0.2 * (np.arange(missing) - (missing - 1) / 2)
            axes.plot([edge] * missing, offsets, "x", color=COLOURS[1], label=lost)
        if found:
            axes.plot(np.median(found), place, "|", color="black", markersize=14)
    if level is not None:
        value, name = level
        axes.axvline(value, color="0.4", linestyle="--", linewidth=1, label=name)
    axes.set_yticks(range(len(values)), values.keys(), fontsize=9)
    axes.invert_yaxis()
    return with_legend(figure)


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
    figure, (axes,) = blank([title], xlabel, ylabel)
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
        axis.set_ticks(ticks, [_short(names[tick]) for tick in ticks])
    figure.colorbar(shown, label=label)
    return figure


def _short(value: float) -> str:
    """Returns a whole number as it is, any other to three digits."""
    return f"{value:g}" if float(value).is_integer() else f"{value:.3g}"


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
