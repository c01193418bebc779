"""Gates that begin with the time scales of the problem: chrono initialisation.

Claim: Tallec, Ollivier, Can recurrent neural networks warp time?, 2018,
https://arxiv.org/abs/1804.11188: an LSTM whose gates start by times uniform up to the
length that is of interest leaves the floor of the copy problem, where one with a forget
bias of 1 stays at it.

Command: `python -m launch.study --study=chrono --workdir=DIR`

Figures: `learning-1.png` and on, the loss of each start, a figure a length.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax

from experiments.vanishing_gradients import comparison
from experiments.vanishing_gradients.comparison import Comparison, Variant, rmsprop
from experiments.vanishing_gradients.network import Init
from experiments.vanishing_gradients.study import Findings, Study
from rnnlab import initializers
from rnnlab.cell import Params
from rnnlab.cells import LSTM
from rnnlab.options import option
from rnnlab.problems import Copy
from rnnlab.training.grid import Result
from rnnlab.training.replicas import Knobs


@dataclasses.dataclass(frozen=True)
class Config(comparison.Config):
    """The paper's 128 units; it gives each run longer."""

    lengths: str = option("200,500", "lag of the copy problem", free=True)
    seeds: int = option(2, "runs of each point", above=0, free=True)
    features: int = option(128, "units", above=0)
    batch_size: int = option(20, "sequences of an update", above=0)
    updates: int = option(2000, "of each run", above=0)


def chrono(longest: Callable[[int], float]) -> Callable[[int], Init]:
    """Returns, for a length, the start of an LSTM by times up to `longest` of it."""

    def at(steps: int) -> Init:
        def init(key: jax.Array, params: Params, knobs: Knobs) -> Params:
            del knobs
            cell = initializers.chrono(
                key, params["cell"], longest(steps), keep=1, write=0
            )
            return {**params, "cell": cell}

        return init

    return at


COMPARISON = Comparison(
    {"copy": Copy},
    {
        "forget bias 1": Variant(LSTM),
        "chrono": Variant(LSTM, chrono(lambda lag: 1.5 * lag)),
    },
    rmsprop(decay=0.9),
    solved=None,
)


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns the table, the curves and what became of the claim."""

    def holds(losses: Mapping[str, float], floor: float) -> bool:
        plain, chrono = losses.values()
        return chrono < min(plain, 0.9 * floor)

    return COMPARISON.by_last_loss(config, results, holds)


STUDY = Study(
    "Chrono initialisation on the copy problem",
    "An LSTM whose gates start by times uniform up to 3/2 of the lag leaves the floor"
    " of the copy problem; one with a forget bias of 1 stays at it.",
    "https://arxiv.org/abs/1804.11188",
    COMPARISON.protocol,
    COMPARISON.groups,
    findings,
)
