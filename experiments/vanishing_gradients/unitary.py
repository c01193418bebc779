"""A unitary recurrence against an LSTM on the copy problem.

Claim: Arjovsky, Shah, Bengio, Unitary evolution recurrent neural networks, 2016,
https://arxiv.org/abs/1511.06464: a unitary network solves the copy problem where an
LSTM stays at the floor of no memory.

Command: `python -m launch.study --study=unitary --workdir=DIR`

Figures: `learning-1.png` and on, the loss of each cell, a figure a lag.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from experiments.vanishing_gradients import comparison
from experiments.vanishing_gradients.comparison import Comparison, Variant, rmsprop
from experiments.vanishing_gradients.study import Findings, Study
from rnnlab.cells import LSTM, UnitaryRNN
from rnnlab.options import option
from rnnlab.problems import Copy
from rnnlab.training.grid import Result


@dataclasses.dataclass(frozen=True)
class Config(comparison.Config):
    """The paper's batch of 20 and rate; 128 units a cell where it has 128 and 40."""

    lengths: str = option("100", "lag of the copy problem", free=True)
    features: int = option(128, "units", above=0)
    batch_size: int = option(20, "sequences of an update", above=0)
    updates: int = option(3000, "of each run", above=0)


COMPARISON = Comparison(
    {"copy": Copy},
    {"LSTM": Variant(LSTM), "unitary": Variant(UnitaryRNN)},
    rmsprop(decay=0.9),
    solved=None,
)


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns the table, the curves and what became of the claim."""

    def holds(losses: Mapping[str, float], floor: float) -> bool:
        return losses["unitary"] < floor / 2 < losses["LSTM"]

    return COMPARISON.by_last_loss(config, results, holds)


STUDY = Study(
    "Unitary recurrence on the copy problem",
    "A unitary network solves the copy problem where an LSTM stays at the floor of no"
    " memory.",
    "https://arxiv.org/abs/1511.06464",
    COMPARISON.protocol,
    COMPARISON.groups,
    findings,
)
