"""How far back the gradient reaches in a cell as it begins: measured and drawn."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from rnnlab.cell import Cell
from rnnlab.files import write_atomic

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
    params = cell.prepare(cell.init(of_params, UNITS))
    x = scale * jax.random.normal(of_x, (STEPS, ROWS, UNITS))
    u = cell.project(params, x)

    def ahead(carry, u_t):
        return cell.step(params, carry, u_t)[0], carry

    def back(d, inputs):
        carry, u_t = inputs
        _, pullback = jax.vjp(lambda carry: cell.step(params, carry, u_t)[0], carry)
        (before,) = pullback(d)
        return before, _norm(before)

    @jax.jit
    def reach():
        last, carries = jax.lax.scan(ahead, cell.initial((ROWS,)), u)
        leaves, structure = jax.tree.flatten(last)
        keys = jax.random.split(of_loss, len(leaves))
        d = structure.unflatten(
            jax.random.normal(key, leaf.shape, leaf.dtype)
            for key, leaf in zip(keys, leaves, strict=True)
        )
        _, found = jax.lax.scan(back, d, (carries, u), reverse=True)
        return jnp.concatenate([_norm(d)[None], found[:0:-1]])

    found = np.asarray(reach(), np.float64)
    return (found / found[0]).mean(-1)


def _norm(tree):
    """Returns the norm over all but the first axis of all leaves, [B]."""
    squares = [
        jnp.sum(jnp.abs(leaf.reshape(ROWS, -1)) ** 2, axis=-1)
        for leaf in jax.tree.leaves(tree)
    ]
    return jnp.sqrt(sum(squares))


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
    file = io.BytesIO()
    figure.savefig(file, format="png")
    write_atomic(path, file.getvalue())
