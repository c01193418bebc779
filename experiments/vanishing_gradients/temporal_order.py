"""Success against length for plain SGD, with clipping, and with clipping and Omega.

Claim: Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural
networks, 2013, https://arxiv.org/abs/1211.5063: on the temporal order problem plain SGD
fails as sequences grow longer; clipping the gradient's norm helps, and with the penalty
Omega besides, length no longer matters: one model that was trained on lengths of 50 to
200 makes no error up to 5000. The sigmoid network is the hard case.

Command: `python -m launch.study --study=temporal_order --workdir=DIR`

Figures: `success.png`, success rate against length, a panel an initialisation;
`learning.png`, the loss of each run at the greatest length.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from experiments.vanishing_gradients import figures
from experiments.vanishing_gradients.network import Network, clipped_sgd, learner
from experiments.vanishing_gradients.study import Findings, Study, by, losses
from rnnlab import initializers
from rnnlab.cell import Params
from rnnlab.cells import Elman
from rnnlab.errors import InputError
from rnnlab.options import check, option, whole_numbers
from rnnlab.problems import TemporalOrder
from rnnlab.training.grid import Group, Point, Result
from rnnlab.training.replicas import Knobs

OMEGA = "SGD, clipped, Omega"
METHODS = {
    "SGD": {"clip": float("inf")},
    "SGD, clipped": {"clip": 1.0},
    OMEGA: {"clip": 1.0, "omega": 4.0},
}
INITS = {  # the deviation of weights; a 1 for a sparse recurrent matrix
    "sigmoid": ("sigmoid", {"deviation": 0.01, "sparse": 0.0}),
    "basic tanh": ("tanh", {"deviation": 0.1, "sparse": 0.0}),
    "smart tanh": ("tanh", {"deviation": 0.1, "sparse": 1.0}),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """The grid; the paper trains up to 5 million updates, lengths up to 250."""

    lengths: str = option("20,50,100", "T, of training and judging", free=True)
    seeds: int = option(5, "runs of each point", above=0, free=True)
    features: int = option(50, "units", above=0)
    batch_size: int = option(20, "sequences of an update", above=0)
    learning_rate: float = option(0.01, "of SGD", above=0)
    updates: int = option(10_000, "the most that a run may have", above=0)
    every: int = option(500, "updates between two looks at the error", above=0)
    farthest: int = option(5000, "T, to which a model generalises; 0: none", least=0)

    def __post_init__(self):
        check(self)
        for steps in self.steps():
            try:
                TemporalOrder(steps)
            except ValueError as error:
                raise InputError(f"--lengths: {error}") from error

    def steps(self) -> tuple[int, ...]:
        """Returns the lengths."""
        return whole_numbers("lengths", self.lengths)


def protocol(config: Config) -> str:
    """Returns what is done."""
    return (
        f"Temporal order with two symbols (4 classes; a loss of ln 4 = 1.386 nats is"
        f" that of no memory). One layer of {config.features} units, a linear output;"
        f" gradient descent at {config.learning_rate:g} on {config.batch_size} new"
        f" sequences an update, up to {config.updates:,} updates. A run is a success"
        f" that fails fewer than 1 % of 10,000 new sequences; looks every"
        f" {config.every} updates. Clipping: norm 1. Omega: weight 4, the paper's"
        f" gradient. Weights N(0, 0.01) for sigmoid, N(0, 0.1) for basic tanh; smart"
        f" tanh has 15 recurrent weights a unit, spectral radius 0.95. Biases 0."
        f" {config.seeds} seeds."
    )


def draw(key: jax.Array, params: Params, knobs: Knobs) -> Params:
    """Returns the first parameters: normal weights, biases of zero."""
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves) + 1)
    drawn = structure.unflatten(
        knobs["deviation"] * jax.random.normal(k, leaf.shape) * (leaf.ndim > 1)
        for k, leaf in zip(keys[1:], leaves, strict=True)
    )
    smart = initializers.recurrent(initializers.sparse(), keys[0], drawn["cell"])
    cell = jax.tree.map(
        lambda a, b: jnp.where(knobs["sparse"] > 0, b, a), drawn["cell"], smart
    )
    return {**drawn, "cell": cell}


def groups(config: Config) -> Sequence[Group]:
    """Returns a group for each length, activation, and with and without Omega."""
    found = []
    for steps in config.steps():
        for activation in ("tanh", "sigmoid"):
            inits = {name: k for name, (act, k) in INITS.items() if act == activation}
            network = Network(
                Elman(config.features, activation),
                TemporalOrder(steps),
                config.batch_size,
            )
            for omega in (False, True):
                points = tuple(
                    Point(
                        {"steps": steps, "init": init, "method": name, "seed": seed},
                        seed,
                        {"rate": config.learning_rate, **knobs, **method},
                    )
                    for init, knobs in inits.items()
                    for name, method in METHODS.items()
                    if ("omega" in method) == omega
                    for seed in range(config.seeds)
                )
                found.append(
                    Group(
                        f"T = {steps}, {activation}{', Omega' * omega}",
                        learner(network, clipped_sgd, draw, "paper" if omega else ""),
                        points,
                        config.updates,
                        config.every,
                        solved=0.01,
                    )
                )
    found += [generalising(config)] if config.farthest else []
    return found


def generalising(config: Config) -> Group:
    """Returns runs on lengths of 50 to 200, which are measured beyond."""
    network = Network(
        Elman(config.features), TemporalOrder(200, shortest=50), config.batch_size
    )

    def beyond(params: Params, key: jax.Array, knobs: Knobs) -> jax.Array:
        del knobs
        keys = jax.random.split(key, 10)  # a few at a time: they are long

        def failed(steps):
            far = dataclasses.replace(network, problem=TemporalOrder(steps))
            return jnp.mean(jax.lax.map(lambda k: far.failed(params, k, 100), keys))

        return jnp.stack([failed(steps) for steps in (200, 1000, config.farthest)])

    knobs = {"rate": config.learning_rate, **INITS["smart tanh"][1]}
    return Group(
        "T = 50 to 200, smart tanh, Omega",
        learner(network, clipped_sgd, draw, "paper", measure=beyond),
        tuple(
            Point(
                {
                    "steps": "50 to 200",
                    "init": "smart tanh",
                    "method": OMEGA,
                    "seed": k,
                },
                k,
                {**knobs, **METHODS[OMEGA]},
            )
            for k in range(config.seeds)
        ),
        config.updates,
        2 * config.every,
        solved=0.01,
    )


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns success by length, and how far the general model reaches."""
    grid = [result for result in results if not result.measured]
    beyond = [result for result in results if result.measured]
    rows, counts = [], {init: {name: {} for name in METHODS} for init in INITS}
    for (init, method, steps), runs in by(grid, "init", "method", "steps").items():
        solved = [run.updates for run in runs if run.solved]
        counts[init][method][steps] = len(solved), len(runs)
        after = f"{np.median(solved):,.0f}" if solved else "-"
        diverged = sum(run.diverged for run in runs)
        rows.append(
            (init, method, steps, f"{len(solved)} of {len(runs)}", after, diverged, "")
        )
    places = {name: place for place, name in enumerate([*INITS, *METHODS])}
    rows.sort(key=lambda row: (places[row[0]], row[2], places[row[1]]))
    for run in beyond:
        errors = ", ".join(
            "-" if error is None else f"{error:.0%}" for error in run.measured[-1][1]
        )
        solved = "solved" if run.solved else "not solved"
        place = (run.name["init"], run.name["method"], run.name["steps"])
        rows.append(
            (
                *place,
                f"seed {run.name['seed']}: {solved}",
                run.updates,
                1 * run.diverged,
                errors,
            )
        )
    longest = max(config.steps())
    panels = {
        init: {
            method: [losses(run) for run in runs]
            for (init_of, method, steps), runs in by(
                grid, "init", "method", "steps"
            ).items()
            if (init_of, steps) == (init, longest)
        }
        for init in INITS
    }
    return Findings(
        (
            "initialisation",
            "method",
            "T",
            "solved",
            "updates, median",
            "diverged",
            f"errors at T = 200, 1000, {config.farthest}",
        ),
        [tuple(map(str, row)) for row in rows],
        verdict(counts, longest, beyond),
        {
            "success": (figures.success(counts), "Runs that solve it, by length."),
            "learning": (
                figures.curves(
                    panels, math.log(4), "loss (nats)", floor_name="no memory"
                ),
                f"Loss at T = {longest}; median and range of the seeds.",
            ),
        },
    )


def verdict(
    counts: Mapping[str, Mapping[str, Mapping[int, tuple[int, int]]]],
    longest: int,
    beyond: Sequence[Result],
) -> str:
    """Returns what became of the claim, in a sentence."""
    share = {
        method: sum(counts[init][method][longest][0] for init in counts)
        for method in METHODS
    }
    runs = sum(counts[init][OMEGA][longest][1] for init in counts)
    plain, clipped, penalised = share.values()
    said = "; ".join(f"{name} {n} of {runs}" for name, n in share.items())
    if beyond:
        general = sum(run.solved for run in beyond)
        said += f"; trained on lengths of 50 to 200, {general} of {len(beyond)}"
    if plain < clipped < penalised:
        word = "Reproduced"
    elif plain < penalised:
        word = "Reproduced in part"
    else:
        word = "Not reproduced"
    return f"{word}: at T = {longest}, solved within the cap: {said}."


STUDY = Study(
    "Temporal order: clipping and Omega",
    "Plain SGD fails as sequences grow longer; clipping the gradient's norm helps; with"
    " the penalty Omega besides, all runs succeed up to length 200, and one model that"
    " was trained on lengths of 50 to 200 makes no error up to 5000. The sigmoid"
    " network is the hard case.",
    "https://arxiv.org/abs/1211.5063",
    protocol,
    groups,
    findings,
)
