"""A network of rectified units that starts as the identity, on the adding problem.

Claim: Le, Jaitly, Hinton, A simple way to initialize recurrent networks of rectified
linear units, 2015, https://arxiv.org/abs/1504.00941: an IRNN does on the adding problem
what an LSTM does, at 150 steps and more, where a tanh network stays at the floor.

Command: `python -m launch.study --study=irnn --workdir=DIR`

Figures: `learning-1.png` and on, the loss of each cell, a figure a length.
"""

import dataclasses
from collections.abc import Sequence

from experiments.vanishing_gradients import comparison
from experiments.vanishing_gradients.comparison import (
    Comparison,
    Variant,
    adam,
    at_best,
    word,
)
from experiments.vanishing_gradients.study import Findings, Study
from rnnlab.cells import IRNN, LSTM, Elman
from rnnlab.options import option
from rnnlab.problems import Adding
from rnnlab.training.grid import Result


@dataclasses.dataclass(frozen=True)
class Config(comparison.Config):
    """The paper's 100 units and batch of 16; Adam, not a search over SGD's rates."""

    lengths: str = option("150,200", "T of the adding problem", free=True)
    features: int = option(100, "units", above=0)
    batch_size: int = option(16, "sequences of an update", above=0)
    learning_rates: str = option("3e-4,1e-3", "of Adam", free=True)
    updates: int = option(4000, "the most that a run may have", above=0)


COMPARISON = Comparison(
    {"adding": Adding},
    {"tanh": Variant(Elman), "IRNN": Variant(IRNN), "LSTM": Variant(LSTM)},
    adam(norm=1.0),
    solved=0.05,
)


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns the table, the curves and what became of the claim."""
    best = at_best(results)
    said, holds = [], []
    for problem in COMPARISON.asked(config):
        solved = {
            name: sum(run.solved for run in best[problem, name])
            for name in COMPARISON.variants
        }
        holds.append(solved["IRNN"] >= solved["LSTM"] > solved["tanh"])
        counts = ", ".join(f"{name} {n}" for name, n in solved.items())
        said.append(f"{problem}: {counts} of {config.seeds}")
    verdict = f"{word(holds)}: solved at the best rate, {'; '.join(said)}."
    return COMPARISON.findings(config, results, verdict)


STUDY = Study(
    "IRNN on the adding problem",
    "A recurrent network of rectified units whose matrix starts as the identity learns"
    " the adding problem at 150 steps and more as an LSTM does; a tanh network does"
    " not.",
    "https://arxiv.org/abs/1504.00941",
    COMPARISON.protocol,
    COMPARISON.groups,
    findings,
)
