"""How far back the gradient reaches in a cell as it begins: measured and drawn."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from experiments.drawing import write
from rnnlab.cell import Cell
from rnnlab.engines import Scan
from rnnlab.probes.gradients import by_carry, by_lag

UNITS, STEPS, ROWS = 64, 100, 8
LIMIT = 6  # powers of ten that the colours tell apart, both ways


def norms(make: Callable[[int], Cell[Any]], scale: float = 1.0) -> np.ndarray:
    """Returns the norm of dL/dcarry at each lag, [T], as multiples of that at 0.

    L is a random sum over the last carry, so that its gradient there has no special
    direction; the mean over rows, for first parameters and normal input of deviation
    `scale`. The start is left out: many a cell treats a carry of zeros in its own way.
    """
    cell = make(UNITS)
    of_params, of_x, of_loss = jax.random.split(jax.random.key(0), 3)
    params, start = cell.init(of_params, UNITS), cell.initial((ROWS,))
    x = scale * jax.random.normal(of_x, (STEPS, ROWS, UNITS))

    def loss(last, y):
        leaves = jax.tree.leaves(last)
        keys = jax.random.split(of_loss, len(leaves))
        pairs = zip(keys, leaves, strict=True)
        return sum(
            jnp.sum((jax.random.normal(key, a.shape, a.dtype) * a).real)
            for key, a in pairs
        )

    @jax.jit
    def reach():
        return by_lag(by_carry(loss, Scan(), cell, params, start, x))[:-1]

    found = np.asarray(reach(), np.float64)
    return (found / found[0]).mean(-1)


def draw(path: Path, by_cell: Mapping[str, np.ndarray]) -> None:
    """Draws the norms of all cells, those that reach farthest at the top."""
    with np.errstate(divide="ignore"):
        logs = {name: np.log10(norms) for name, norms in by_cell.items()}
    clipped = {name: np.clip(log, -LIMIT, LIMIT) for name, log in logs.items()}
    names = sorted(clipped, key=lambda name: -clipped[name].mean())
    picture = np.array([clipped[name] for name in names])
    figure = Figure(figsize=(8, 1.2 + 0.2 * len(names)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shown = axes.imshow(
        picture,
        aspect="auto",
        interpolation="none",
        cmap="RdBu_r",
        norm=TwoSlopeNorm(0, -LIMIT, LIMIT),
        extent=(-0.5, picture.shape[1] - 0.5, len(names) - 0.5, -0.5),
    )
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("lag (steps before the loss)")
    axes.set_title(
        f"Norm of the gradient by the carry, first parameters, {UNITS} units",
        fontsize=10,
    )
    figure.colorbar(
        shown,
        label=f"power of ten, beside lag 0 (beyond {LIMIT}: as {LIMIT})",
        ticks=range(-LIMIT, LIMIT + 1, 2),
    )
    write(figure, path)
