"""Draws `probe.png`: how far gradients reach in a trained model, and what states do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from experiments.drawing import logarithmic, write
from launch.curves import BLUE, GREEN, PURPLE, VERMILION
from rnnlab.errors import shown

COLOURS = (BLUE, VERMILION, GREEN, PURPLE)  # by layer
STYLES = ("-", "--", ":", "-.")  # by leaf of the carry, or by product


def draw(path: Path, found: Mapping[str, Any], title: str) -> None:
    """Draws what `launch.examine` found."""
    layers = found["layers"]
    bars = sum(len(layer["saturation"]) for layer in layers)
    heights = (3, 3, max(3, 0.28 * bars))
    figure = Figure(figsize=(11, 1.2 + sum(heights)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 2, height_ratios=heights).ravel()
    for draw_panel, panel in zip(PANELS, axes, strict=True):
        draw_panel(panel, found)
        panel.grid(color="0.9")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        if count := len(panel.get_legend_handles_labels()[0]):
            # Above the panel, where it covers no curve.
            panel.legend(
                loc="lower left",
                bbox_to_anchor=(0, 1),
                ncols=2 if count <= 4 else 4,
                frameon=False,
                fontsize=8,
            )
    figure.suptitle(shown(title), parse_math=False)  # a $ begins no formula
    write(figure, path)


def _lags(axes: Axes, found: Mapping[str, Any]) -> None:
    for k, layer in enumerate(found["layers"]):
        norms = layer["curves"]["gradient_norm"]
        label = (
            f"layer {k}: reaches {layer['effective_memory']:.3g} steps,"
            f" Lyapunov {layer['lyapunov'][0]:.3f}"
        )
        shown = np.where(norms > 0, norms, np.nan)
        axes.plot(np.arange(1, len(norms) + 1), shown, color=_colour(k), label=label)
    axes.set(yscale="log", ylabel="norm of dL/dcarry (nats)")
    axes.set_xlabel("lag (steps before the loss)")


def _norms(axes: Axes, found: Mapping[str, Any]) -> None:
    for k, layer in enumerate(found["layers"]):
        for j, (name, norms) in enumerate(layer["curves"]["norm"].items()):
            axes.plot(norms, color=_colour(k), ls=_style(j), label=f"layer {k}: {name}")
    axes.set(ylabel="norm of the state", xlabel="step")
    logarithmic(axes.yaxis)


def _times(axes: Axes, found: Mapping[str, Any]) -> None:
    found_any = False
    for k, layer in enumerate(found["layers"]):
        for j, (name, times) in enumerate(layer["curves"]["forget_time"].items()):
            shown = np.where((times > 0) & np.isfinite(times), times, np.nan)
            if np.isnan(shown).all():
                continue  # nothing is kept from a step to the next, or all
            found_any = True
            share = np.arange(1, len(times) + 1) / len(times)
            label = f"layer {k}: {name}"
            axes.plot(share, shown, color=_colour(k), ls=_style(j), label=label)
    axes.set(
        ylabel="forget time (steps)", xlabel="share of units with less", xlim=(0, 1)
    )
    if found_any:
        logarithmic(axes.yaxis)
    else:
        _say(axes, "no unit has a forget time")


def _spectra(axes: Axes, found: Mapping[str, Any]) -> None:
    for k, layer in enumerate(found["layers"]):
        for j, (name, values) in enumerate(layer["singular_values"].items()):
            shown = np.where(values > 1e-12 * values.max(), values, np.nan)
            number = np.arange(1, len(values) + 1)
            few = "." if len(values) <= 60 else ""
            label = f"layer {k}: {name}"
            axes.plot(
                number, shown, color=_colour(k), ls=_style(j), marker=few, label=label
            )
    axes.set(yscale="log", ylabel="singular value of the Jacobian", xlabel="number")


def _saturation(axes: Axes, found: Mapping[str, Any]) -> None:
    names, edge = [], 0.0
    for k, layer in enumerate(found["layers"]):
        for name, shares in layer["saturation"].items():
            at = len(names)
            axes.barh(at, -shares["low"], color=_colour(k), alpha=0.5)
            axes.barh(at, shares["high"], color=_colour(k))
            names.append(f"layer {k}: {name}")
            edge = max(edge, *shares.values())
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    edge = 1.05 * edge or 1.0
    axes.set(
        xlim=(-edge, edge), xlabel="share of values near the low end, and near the high"
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{abs(x):g}"))
    axes.axvline(0, color="0.3", linewidth=0.8)
    if not names:
        _say(axes, "no sigmoid and no tanh")


def _truncation(axes: Axes, found: Mapping[str, Any]) -> None:
    bias = found["truncation"]
    for name, colour in (("cosine", BLUE), ("distance", VERMILION)):
        label = {"cosine": "cosine with", "distance": "relative distance from"}[name]
        label = f"{label} the full gradient"
        axes.plot(bias["window"], bias[name], marker="o", color=colour, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(bias["window"], [str(window) for window in bias["window"]])
    axes.minorticks_off()
    axes.set(ylabel="of the truncated gradient", xlabel="steps it goes through")


PANELS = (_lags, _norms, _times, _spectra, _saturation, _truncation)


def _say(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", transform=axes.transAxes, color="0.4")


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _style(k: int) -> str:
    return STYLES[k % len(STYLES)]
