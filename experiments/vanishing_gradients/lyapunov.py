"""Where a network is chaotic: the largest Lyapunov exponent over gain and bias.

Claim: a large random tanh network without input turns chaotic as the gain of its
recurrent weights passes 1, and a bias moves that edge up: Sompolinsky, Crisanti,
Sommers, Chaos in random neural networks, 1988,
https://doi.org/10.1103/PhysRevLett.61.259; Engelken, Wolf, Abbott, Lyapunov spectra of
chaotic recurrent neural networks, 2020, https://arxiv.org/abs/2006.02427. The
plane of the LSTM is drawn beside it.

Command: `python -m launch.study --study=lyapunov --workdir=DIR`

Figures: `tanh.png` and `lstm.png`, the exponent over gain and bias; `spectra.png`, all
exponents of tanh networks at some gains.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.vanishing_gradients import figures
from experiments.vanishing_gradients.comparison import word
from experiments.vanishing_gradients.study import Findings, Study, by
from rnnlab.cell import Cell, Params
from rnnlab.cells import LSTM, Elman
from rnnlab.options import check, option
from rnnlab.probes.lyapunov import exponents
from rnnlab.training.grid import Group, Point, Result
from rnnlab.training.replicas import Knobs, Learner

Measure = Callable[[Params, jax.Array, Knobs], jax.Array]

CELLS: dict[str, Callable[[int], Cell[Any]]] = {"tanh": Elman, "lstm": LSTM}
GAINS = {"tanh": (0.2, 3.0), "lstm": (0.5, 12.0)}
LIMIT = 1  # that colours tell apart
BIASES = {"tanh": (0.0, 2.0), "lstm": (-4.0, 4.0)}  # of the forget gate, for an LSTM


@dataclasses.dataclass(frozen=True)
class Config:
    """The grid; each point is the median of some networks."""

    features: int = option(100, "units", above=0)
    seeds: int = option(3, "networks of each point", above=0, free=True)
    points: int = option(16, "gains, and as many biases", above=1)
    steps: int = option(400, "of a run, the first quarter not counted", least=8)

    def __post_init__(self):
        check(self)

    def axis(self, ends: tuple[float, float]) -> list[float]:
        """Returns the places of an axis."""
        return [round(float(v), 4) for v in np.linspace(*ends, self.points)]


def protocol(config: Config) -> str:
    """Returns what is done."""
    return (
        f"{config.features} units without input from a random start; recurrent weights"
        f" N(0, gain^2 / {config.features}); the bias on every unit of the tanh"
        f" network, on the forget gate of the LSTM. The largest Lyapunov exponent over"
        f" {config.steps} steps, the first quarter left out; median of {config.seeds}"
        f" networks. Nothing is trained."
    )


def look(cell: Cell[Any], steps: int, count: int) -> Measure:
    """Returns what tells the `count` largest exponents of a run without input."""

    @jax.custom_batching.sequential_vmap  # one decomposition at a time
    def largest(params: Params, key: jax.Array, knobs: Knobs) -> jax.Array:
        del knobs
        of_start, of_frame = jax.random.split(key)
        leaves, structure = jax.tree.flatten(cell.initial(()))
        keys = jax.random.split(of_start, len(leaves))
        start = structure.unflatten(
            jax.random.normal(key, leaf.shape)
            for key, leaf in zip(keys, leaves, strict=True)
        )
        x = jnp.zeros((steps, 1))
        return exponents(cell, params, start, x, of_frame, count, skip=steps // 4)

    return largest


def groups(config: Config) -> Sequence[Group]:
    """Returns a group for each cell's plane, and one for the spectra."""
    found = []
    for name, make in CELLS.items():
        cell = make(config.features)

        def init(key: jax.Array, knobs: Knobs, cell=cell) -> Params:
            params = cell.init(key, 1)
            units, columns = params["recurrent"].shape
            drawn = jax.random.normal(key, (units, columns)) / jnp.sqrt(units)
            blocks = jnp.zeros((columns // units, units))
            bias = blocks.at[min(1, len(blocks) - 1)].set(knobs["bias"]).reshape(-1)
            return params | {"recurrent": knobs["gain"] * drawn, "bias": bias}

        planes = [
            (gain, bias)
            for gain in config.axis(GAINS[name])
            for bias in config.axis(BIASES[name])
        ]
        spectra = [(gain, 0.0) for gain in (0.5, 1.0, 1.5, 3.0)] * (name == "tanh")
        for what, count, places in (
            ("largest", 1, planes),
            ("spectrum", config.features, spectra),
        ):
            points = tuple(
                Point(
                    {
                        "cell": name,
                        "what": what,
                        "gain": gain,
                        "bias": bias,
                        "seed": seed,
                    },
                    seed,
                    {"gain": gain, "bias": bias},
                )
                for gain, bias in places
                for seed in range(config.seeds)
            )
            if points:
                found.append(
                    Group(
                        f"{name}, {what}",
                        measured(init, look(cell, config.steps, count)),
                        points,
                        0,
                        1,
                    )
                )
    return found


def measured(
    init: Callable[[jax.Array, Knobs], Params],
    measure: Measure,
) -> Learner:
    """Returns what is measured at its start and not trained."""
    return Learner(
        init,
        lambda params, key, knobs: (jnp.zeros(()), params),
        lambda params, key: jnp.zeros(()),
        lambda knobs: optax.identity(),
        measure,
    )


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns the planes, the spectra and where the edge lies."""
    pictures, rows, edges = {}, [], {}
    for name in CELLS:
        gains, biases = config.axis(GAINS[name]), config.axis(BIASES[name])
        plane = np.full((len(biases), len(gains)), np.nan)
        own = [
            r for r in results if (r.name["cell"], r.name["what"]) == (name, "largest")
        ]
        for (gain, bias), runs in by(own, "gain", "bias").items():
            values = [run.measured[0][1][0] for run in runs]
            known = [value for value in values if value is not None]
            place = biases.index(bias), gains.index(gain)
            plane[place] = np.median(known) if known else np.nan
        of = "forget gate's bias" if name == "lstm" else "bias"
        pictures[name] = (
            figures.heat(
                np.clip(plane, -LIMIT, LIMIT),
                gains,
                biases,
                "gain of the recurrent weights",
                of,
                f"largest exponent (nats a step; beyond {LIMIT}: as {LIMIT})",
                centre=0.0,
            ),
            f"{name}: above zero, nearby states part.",
        )
        for bias, values in zip(biases, plane, strict=True):
            edge = crossing(gains, values)
            edges[name, bias] = edge
            said = "none up to " + str(gains[-1]) if edge is None else f"{edge:.2f}"
            rows.append((name, f"{bias:g}", said, f"{np.nanmax(values):.3f}"))
    spectra = {
        f"gain {gain:g}": np.array([run.measured[0][1] for run in runs], float)
        for (gain,), runs in by(
            [r for r in results if r.name["what"] == "spectrum"], "gain"
        ).items()
    }
    pictures["spectra"] = (
        figures.spectra(
            {"tanh": spectra}, 0.0, "Lyapunov exponent (nats a step)", log=False
        ),
        "All exponents of tanh networks, no bias; median and range.",
    )
    start, moved = edges["tanh", 0.0], edges["tanh", config.axis(BIASES["tanh"])[-1]]
    near = start is not None and 0.9 < start < 1.4
    later = start is not None and (moved is None or moved > start)
    verdict = (
        f"{word([near, later])}: the tanh network's"
        f" largest exponent passes zero at a gain of"
        f" {'none' if start is None else f'{start:.2f}'} without a bias (1 for"
        f" infinitely many units), and at"
        f" {'none here' if moved is None else f'{moved:.2f}'} with a bias of"
        f" {BIASES['tanh'][1]:g}."
    )
    head = ("cell", "bias", "edge: gain", "largest exponent")
    return Findings(head, rows, verdict, pictures)


def crossing(gains: Sequence[float], values: np.ndarray) -> float | None:
    """Returns the gain at which values pass zero for good, or None."""
    below = np.flatnonzero(~(values > 0))
    k = 0 if below.size == 0 else int(below[-1]) + 1
    if k >= len(gains):
        return None
    if k == 0:
        return gains[0]
    part = values[k - 1] / (values[k - 1] - values[k])
    return float(gains[k - 1] + part * (gains[k] - gains[k - 1]))


STUDY = Study(
    "Lyapunov exponents: the edge of chaos",
    "A large random tanh network without input turns chaotic as the gain of its"
    " recurrent weights passes 1, and a bias moves that edge to higher gains.",
    "https://arxiv.org/abs/2006.02427",
    protocol,
    groups,
    findings,
)
