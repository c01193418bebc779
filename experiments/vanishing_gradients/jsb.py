"""Bach's chorales: LSTM, GRU and tanh network as a benchmark for sequence models.

Claim: Bai, Kolter, Koltun, An empirical evaluation of generic convolutional and
recurrent networks for sequence modeling, 2018, https://arxiv.org/abs/1803.01271: test
NLL of 8.45 nats a step for an LSTM, 8.43 for a GRU and 8.91 for a tanh network.

Command: `python -m launch.study --study=jsb --data=jsb-chorales-quarter.json
--workdir=DIR`

Figure: `learning.png`, valid NLL over the updates.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np
import optax

from experiments.vanishing_gradients import figures
from experiments.vanishing_gradients.chorales import Chorales, Model, pieces
from experiments.vanishing_gradients.comparison import spread
from experiments.vanishing_gradients.study import Findings, Study, by
from rnnlab.cells import GRU, LSTM, Elman
from rnnlab.options import check, option
from rnnlab.training.grid import Group, Point, Result

CELLS = {"LSTM": partial(LSTM, forget_bias=1.0), "GRU": GRU, "tanh": Elman}
PUBLISHED = {"LSTM": 8.45, "GRU": 8.43, "tanh": 8.91}


@dataclasses.dataclass(frozen=True)
class Config:
    """The paper's LSTM: two layers of 200 units, dropout 0.2, norm 1."""

    data: str = option("", "file of polyphonic music, JSON", free=True)
    seeds: int = option(3, "runs of each cell", above=0, free=True)
    features: int = option(200, "units a layer", above=0)
    layers: int = option(2, "recurrent layers", above=0)
    dropout: float = option(0.2, "between layers", least=0, below=1)
    batch_size: int = option(16, "pieces of an update", above=0)
    learning_rate: float = option(2e-3, "of Adam", above=0)
    updates: int = option(600, "of each run", above=0)
    every: int = option(30, "updates between two validations", above=0)

    def __post_init__(self):
        check(self)


def protocol(config: Config) -> str:
    """Returns what is done."""
    return (
        f"{config.layers} layers of {config.features} units, dropout"
        f" {config.dropout:g}, a linear output of 88 log-odds; Adam at"
        f" {config.learning_rate:g}, gradient clipped to norm 1, {config.batch_size}"
        f" whole pieces an update,"
        f" {config.updates:,} updates, validation every {config.every}; the test NLL is"
        f" that of the best validation, in nats a step, summed over keys;"
        f" {config.seeds} seeds."
    )


def groups(config: Config) -> Sequence[Group]:
    """Returns a group for each cell: all seeds in one."""
    rolls, found = pieces(config.data), []
    for name, cell in CELLS.items():
        model = Model((cell(config.features),) * config.layers, config.dropout)
        learner = Chorales(model, rolls, config.batch_size).learner(
            lambda knobs: optax.chain(
                optax.clip_by_global_norm(1.0), optax.adam(knobs["rate"])
            )
        )
        points = tuple(
            Point({"cell": name, "seed": k}, k, {"rate": config.learning_rate})
            for k in range(config.seeds)
        )
        found.append(Group(name, learner, points, config.updates, config.every))
    return found


def at_best(run: Result) -> tuple[float, float, int]:
    """Returns valid and test NLL at the best validation, and its update.

    NaN where no validation was finite.
    """
    known = [(error, at) for at, _, error in run.curve if error is not None]
    if not known:
        return float("nan"), float("nan"), 0
    valid, at = min(known)
    return valid, float(dict(map(tuple, run.measured))[at] or "nan"), at


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns test NLL beside what was published."""
    rows, tests = [], {}
    for (name,), runs in by(results, "cell").items():
        best = [at_best(run) for run in runs]
        tests[name] = float(np.median([test for _, test, _ in best]))
        at = f"{np.median([at for _, _, at in best]):,.0f}"
        seconds = f"{sum(run.seconds for run in runs) / len(runs):,.0f}"
        valid, test = (spread([b[k] for b in best], ".3f") for k in (0, 1))
        rows.append((name, valid, test, f"{PUBLISHED[name]:.2f}", at, seconds))
    near = all(tests[name] < PUBLISHED[name] + 0.1 for name in tests)
    order = tests["tanh"] > max(tests["LSTM"], tests["GRU"])
    begin = ["Not reproduced", "Reproduced in part", "Reproduced"][near + order]
    said = ", ".join(f"{k} {v:.2f} ({PUBLISHED[k]:.2f})" for k, v in tests.items())
    curves = {
        name: [[(at, error) for at, _, error in run.curve] for run in runs]
        for (name,), runs in by(results, "cell").items()
    }
    picture = figures.curves({"valid": curves}, None, "nats a step", log=False)
    return Findings(
        ("cell", "valid NLL", "test NLL", "published", "updates", "seconds a run"),
        rows,
        f"{begin}: test NLL in nats a step, the published one in brackets: {said}.",
        {"learning": (picture, "Valid NLL; median and range of the seeds.")},
    )


STUDY = Study(
    "Bach's chorales",
    "Test NLL on JSB chorales of 8.45 nats a step for an LSTM, 8.43 for a GRU and 8.91"
    " for a tanh network.",
    "https://arxiv.org/abs/1803.01271",
    protocol,
    groups,
    findings,
)
