"""The forget gate's first bias: 0, 1, and a GRU beside them.

Claim: Jozefowicz, Zaremba, Sutskever, An empirical exploration of recurrent network
architectures, 2015, https://proceedings.mlr.press/v37/jozefowicz15.html: a bias of 1
closes the gap between the LSTM and the GRU.

Command: `python -m launch.study --study=forget_bias --workdir=DIR`

Figures: `learning-1.png` and on, the loss of each network, a figure a problem.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial

from experiments.vanishing_gradients import comparison
from experiments.vanishing_gradients.comparison import (
    Comparison,
    Variant,
    adam,
    at_best,
    quality,
    summary,
    word,
)
from experiments.vanishing_gradients.study import Findings, Study
from rnnlab.cells import GRU, LSTM
from rnnlab.options import option
from rnnlab.problems import Adding, DelayedRecall
from rnnlab.training.grid import Result


@dataclasses.dataclass(frozen=True)
class Config(comparison.Config):
    """The paper's problems are others; these ask for a memory of the same kind."""

    lengths: str = option("50", "T of the problems", free=True)
    learning_rates: str = option("3e-3", "of Adam", free=True)
    seeds: int = option(5, "runs of each point", above=0, free=True)
    updates: int = option(3000, "the most that a run may have", above=0)


COMPARISON = Comparison(
    {
        "adding": Adding,
        "delayed recall": lambda steps: DelayedRecall(steps, steps - 1),
    },
    {
        "LSTM, bias 0": Variant(partial(LSTM, forget_bias=0.0)),
        "LSTM, bias 1": Variant(LSTM),
        "GRU": Variant(GRU),
    },
    adam(norm=1.0),
)


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns the table, the curves and what became of the claim.

    The claim holds on a problem where the bias of 1 makes an LSTM better than that of
    0, by the error at the end and then by the updates until solved, and leaves less
    than half of the distance to the GRU, or none.
    """
    best = at_best(results)
    said, holds = [], []
    for problem in COMPARISON.asked(config):
        zero, one, gru = (
            quality(best[problem, variant]) for variant in COMPARISON.variants
        )
        gap = [
            a[0] + a[1] / config.updates - gru[0] - gru[1] / config.updates
            for a in (zero, one)
        ]
        holds.append(gap[1] < gap[0] / 2 if gap[0] > 0 else False)
        counts = []
        for name in COMPARISON.variants:
            solved, after, *_ = summary(best[problem, name])
            median = "" if after == "-" else f" in a median of {after} updates"
            counts.append(f"{name}: {solved}{median}")
        said.append(f"{problem} ({', '.join(counts)})")
    verdict = f"{word(holds)}: runs solved at {'; '.join(said)}."
    return COMPARISON.findings(config, results, verdict)


STUDY = Study(
    "The forget gate's first bias",
    "A forget-gate bias of 1 closes the gap between the LSTM and the GRU.",
    "https://proceedings.mlr.press/v37/jozefowicz15.html",
    COMPARISON.protocol,
    COMPARISON.groups,
    findings,
)
