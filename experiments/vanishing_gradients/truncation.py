"""How many steps a gradient must go back for a lag to be learned.

Claim: truncated backpropagation learns what lies within its window, and is biased
beyond: Williams, Peng, An efficient gradient-based algorithm for on-line training of
recurrent network trajectories, 1990, https://doi.org/10.1162/neco.1990.2.4.490; Tallec,
Ollivier, Unbiasing truncated backpropagation through time, 2017,
https://arxiv.org/abs/1705.08209.

Command: `python -m launch.study --study=truncation --workdir=DIR`

Figures: `solved.png`, the share of runs that solve a lag with a window; `bias.png`, how
far the truncated gradient is from the full one at the start.
"""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from experiments.vanishing_gradients import comparison, figures
from experiments.vanishing_gradients.comparison import adam, points_of, summary, word
from experiments.vanishing_gradients.network import Network, learner
from experiments.vanishing_gradients.study import Findings, Study, by
from rnnlab.cell import Params
from rnnlab.cells import LSTM
from rnnlab.engines import auto
from rnnlab.errors import InputError
from rnnlab.options import option, whole_numbers
from rnnlab.probes.truncation import Truncated, bias
from rnnlab.problems import DelayedRecall
from rnnlab.training.grid import Group, Result
from rnnlab.training.replicas import Knobs

ROWS = 32  # sequences that the bias is measured on


@dataclasses.dataclass(frozen=True)
class Config(comparison.Config):
    """An LSTM that recalls one of eight symbols."""

    lengths: str = option("4,12,24,48", "lags, in steps", free=True)
    windows: str = option("8,16,32,64", "steps of backpropagation")
    steps_in_all: int = option(64, "T", above=0)
    learning_rates: str = option("3e-3", "of Adam", free=True)
    updates: int = option(2000, "the most that a run may have", above=0)
    every: int = option(500, "updates between two looks at error and bias", above=0)

    def __post_init__(self):
        super().__post_init__()
        windows, lags = whole_numbers("windows", self.windows), self.steps()
        if min(windows) < 1:
            raise InputError(
                f"--windows must be of 1 step or more, got {self.windows!r}."
            )
        cut = [w for w in windows if w < self.steps_in_all and self.steps_in_all % w]
        if cut:
            raise InputError(
                f"--windows must divide --steps_in_all={self.steps_in_all}, or the"
                f" answer is in a shorter one, got {cut[0]}; pass other ones."
            )
        for lag in lags:
            try:
                DelayedRecall(self.steps_in_all, lag)
            except ValueError as error:
                raise InputError(f"--lengths={lag}: {error}") from error
        if max(windows) <= min(lags) or min(windows) > max(lags):
            raise InputError(
                f"--windows must have one beyond a lag and one that is not, got"
                f" {self.windows} for --lengths={self.lengths}; add one."
            )


def protocol(config: Config) -> str:
    """Returns what is done."""
    return (
        f"Delayed recall: one of 8 symbols is marked, a lag before the end of"
        f" {config.steps_in_all} steps, and asked for at the end (a loss of ln 8 ="
        f" 2.079 nats is that of no memory). LSTM of {config.features} units,"
        f" {adam(1.0)[0]} at {config.learning_rates}, {config.batch_size} new sequences"
        f" an update, up to {config.updates:,} updates, or until fewer than 1 % of"
        f" 10,000 new sequences fail; {config.seeds} seeds. The sequence is cut into"
        f" windows, between which the state is handed on and no gradient; the last"
        f" window ends with the sequence."
    )


def groups(config: Config) -> Sequence[Group]:
    """Returns a group for each lag and window."""
    cell = LSTM(config.features)
    windows = whole_numbers("windows", config.windows)
    found = []
    for lag in config.steps():
        problem = DelayedRecall(config.steps_in_all, lag)
        full = Network(cell, problem, config.batch_size)

        def biased(params: Params, key: jax.Array, knobs: Knobs, full=full):
            del knobs
            draw = full.problem.draw(key, ROWS)

            def loss(last, y):
                return full.problem.loss(full.read(params, y), draw)

            start = cell.initial((ROWS,))
            return bias(
                loss, auto(cell), cell, params["cell"], start, draw.x, windows
            ).distance

        for window in windows:
            network = dataclasses.replace(full, engine=Truncated(auto(cell), window))
            points = points_of(config, lag=lag, window=window)
            found.append(
                Group(
                    f"lag {lag}, window {window}",
                    learner(network, adam(1.0)[1], measure=biased),
                    points,
                    config.updates,
                    config.every,
                    solved=0.01,
                )
            )
    return found


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns what was solved by lag and window, and the bias at the start."""
    lags = config.steps()
    windows = whole_numbers("windows", config.windows)
    rows, share, apart = [], np.zeros((len(lags), len(windows))), {}
    for (lag, window), runs in by(results, "lag", "window").items():
        rows.append((str(lag), str(window), *summary(runs)))
        place = lags.index(lag), windows.index(window)
        share[place] = sum(run.solved for run in runs) / len(runs)
        apart[f"lag {lag}"] = np.array([run.measured[0][1] for run in runs], float)
    reaches = np.array(windows) > np.array(lags)[:, None]
    inside, outside = share[reaches].mean(), share[~reaches].mean()
    verdict = (
        f"{word([inside > 0.9, outside < 0.1])}: solved with a window beyond the lag,"
        f" {inside:.0%} of the runs; with one within it, {outside:.0%}."
    )
    distances = {
        name: [[(w, d) for w, d in zip(windows, row, strict=True)] for row in values]
        for name, values in apart.items()
    }
    return Findings(
        ("lag", "window", "solved", "updates, median", "loss", "error"),
        rows,
        verdict,
        {
            "solved": (
                figures.heat(
                    share,
                    windows,
                    lags,
                    "window (steps of backpropagation)",
                    "lag (steps)",
                    "runs that solve it",
                ),
                "What is learned with which window.",
            ),
            "bias": (
                figures.curves(
                    {"at initialisation": distances},
                    None,
                    "distance from the full gradient",
                    log=False,
                    xlabel="window (steps)",
                ),
                "How far the truncated gradient is from the full one, beside the norm"
                " of the full one, by window in steps.",
            ),
        },
    )


STUDY = Study(
    "Truncated backpropagation: window and lag",
    "Truncated backpropagation through time learns what lies within its window, and not"
    " what lies beyond.",
    "https://arxiv.org/abs/1705.08209",
    protocol,
    groups,
    findings,
)
