"""What each part of an LSTM is worth: eight variants, by random search.

Claim: Greff et al., LSTM: a search space odyssey, 2017,
https://arxiv.org/abs/1503.04069: no variant is clearly better than the vanilla LSTM;
without the forget gate or the output activation it is worst; coupled gates and no
peepholes do not hurt; of the hyperparameters the learning rate matters most, by far,
and momentum hardly.

Command: `python -m launch.study --study=greff --data=jsb-chorales-quarter.json
--workdir=DIR`

Figures: `variants.png`, test NLL of the best trials of each variant; `rate.png`, NLL by
learning rate.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import optax
from scipy.stats import mannwhitneyu, spearmanr

from experiments.vanishing_gradients import figures
from experiments.vanishing_gradients.chorales import Chorales, Model, pieces
from experiments.vanishing_gradients.comparison import spread, word
from experiments.vanishing_gradients.jsb import at_best
from experiments.vanishing_gradients.study import Findings, Study, by
from rnnlab.cell import Cell
from rnnlab.cells import GreffLSTM, PeepholeLSTM
from rnnlab.errors import InputError
from rnnlab.options import check, option, whole_numbers
from rnnlab.training.grid import Group, Point, Result
from rnnlab.training.replicas import Knobs

VANILLA = "vanilla"
VARIANTS: dict[str, Callable[[int], Cell[Any]]] = {
    VANILLA: PeepholeLSTM,
    **{
        name.upper(): partial(GreffLSTM, variant=name)
        for name in ("nig", "nfg", "nog", "niaf", "noaf", "np", "cifg", "fgr")
    },
}
SEARCHED = ("rate", "momentum", "noise", "units")


@dataclasses.dataclass(frozen=True)
class Config:
    """The paper's ranges, but for units: three sizes, so that trials share programs."""

    data: str = option("", "file of polyphonic music, JSON", free=True)
    trials: int = option(4, "of each variant and size", above=0, free=True)
    sizes: str = option("32,64", "units", free=True)
    batch_size: int = option(16, "pieces of an update", above=0)
    updates: int = option(400, "of each trial", above=0)
    every: int = option(50, "updates between two validations", above=0)

    def __post_init__(self):
        check(self)
        sizes = whole_numbers("sizes", self.sizes)
        if self.trials * len(sizes) < 2:
            raise InputError(
                f"--trials of all --sizes must be 2 or more, to be compared, got"
                f" {self.trials} of {self.sizes}; add one."
            )


def protocol(config: Config) -> str:
    """Returns what is done."""
    return (
        f"One layer, a linear output of 88 log-odds, {config.batch_size} whole pieces"
        f" an update, {config.updates} updates of SGD with Nesterov momentum on the"
        f" nats of a piece. {config.trials} trials for each variant and each of"
        f" {config.sizes} units; the learning rate log-uniform in 1e-6 to 1e-2, 1 -"
        f" momentum log-uniform in 0.01 to 1, the deviation of input noise uniform in 0"
        f" to 1; the same draws for all variants. Test NLL in nats a step at the best"
        f" of the validations, which come every {config.every} updates."
    )


def trial(size: int, k: int) -> dict[str, float]:
    """Returns the hyperparameters of a trial, the same for each variant."""
    rng = np.random.default_rng([size, k])
    return {
        "rate": float(10 ** rng.uniform(-6, -2)),
        "momentum": float(1 - 10 ** rng.uniform(-2, 0)),
        "noise": float(rng.uniform()),
    }


def groups(config: Config) -> Sequence[Group]:
    """Returns a group for each variant and size: all trials in one."""
    rolls, found = pieces(config.data), []
    mean = float(np.mean(rolls["train"].lengths - 1))

    def optimizer(knobs: Knobs) -> optax.GradientTransformation:
        # The gradient is that of nats a step: times the steps, of nats a piece.
        return optax.sgd(mean * knobs["rate"], knobs["momentum"], nesterov=True)

    for name, make in VARIANTS.items():
        for units in whole_numbers("sizes", config.sizes):
            data = Chorales(Model((make(units),)), rolls, config.batch_size, noisy=True)
            points = tuple(
                Point(
                    {
                        "variant": name,
                        "units": units,
                        "trial": k,
                        **{n: float(f"{v:.4g}") for n, v in trial(units, k).items()},
                    },
                    k,
                    trial(units, k),
                )
                for k in range(config.trials)
            )
            learner = data.learner(optimizer)
            title = f"{name}, {units} units"
            found.append(Group(title, learner, points, config.updates, config.every))
    return found


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns the best trials of each variant, and which hyperparameter matters."""
    tests = {id(run): at_best(run)[1] for run in results}
    top, rows, every = {}, [], {}
    for (name,), runs in by(results, "variant").items():
        every[name] = [tests[id(run)] for run in runs]
        known = sorted(tests[id(r)] for r in runs if np.isfinite(tests[id(r)]))
        top[name] = known[: max(1, len(known) // 2)] or [math.inf]  # all diverged
    against = {
        name: float(mannwhitneyu(best, top[VANILLA]).pvalue)
        for name, best in top.items()
        if name != VANILLA
    }
    for name, best in top.items():
        lost = sum(r.diverged for r in results if r.name["variant"] == name)
        rows.append(
            (
                name,
                f"{best[0]:.3f}",
                spread(best, ".3f"),
                f"{against[name]:.2f}" if name in against else "-",
                str(lost),
            )
        )
    finite = [run for run in results if np.isfinite(tests[id(run)])]
    matters = {
        name: float(
            spearmanr(
                [run.name[name] for run in finite], [tests[id(run)] for run in finite]
            ).statistic
        )
        for name in SEARCHED
        if len({run.name[name] for run in finite}) > 1
    }
    rows += [
        (f"rank correlation: {name}", f"{rho:+.2f}", "-", "-", "-")
        for name, rho in matters.items()
    ]
    most = max(matters, key=lambda name: abs(matters[name]))
    middle = {name: float(np.median(best)) for name, best in top.items()}
    order = sorted(middle, key=lambda name: middle[name])
    before = order[: order.index(VANILLA)]
    better = [name for name in before if against[name] < 0.05]
    holds = [most == "rate", {"NFG", "NOAF"} == {*order[-2:]}, not better]
    verdict = (
        f"{word(holds)}: clearly better than vanilla is"
        f" {' and '.join(better) or 'none'}; worst are {order[-1]} and {order[-2]},"
        f" best {order[0]}; the rank correlation with the NLL is greatest for the"
        f" {most} ({matters[most]:+.2f}; momentum {matters['momentum']:+.2f})."
    )
    far = 2 * min(top[VANILLA])
    return Findings(
        (
            "variant",
            "best",
            "better half of the trials",
            "p beside vanilla",
            "diverged",
        ),
        rows,
        verdict,
        {
            "variants": (
                figures.dots(
                    {
                        name: [v if v <= far else None for v in every[name]]
                        for name in order
                    },
                    "test NLL (nats a step)",
                    level=(min(top[VANILLA]), "best of vanilla"),
                    lost=f"above {far:.1f}, or diverged",
                ),
                "Test NLL of all trials, variants by their better halves.",
            ),
        },
    )


STUDY = Study(
    "LSTM variants by random search",
    "None of eight variants is clearly better than the vanilla LSTM; without the forget"
    " gate or the output activation it is worst; the learning rate matters most and"
    " momentum hardly.",
    "https://arxiv.org/abs/1503.04069",
    protocol,
    groups,
    findings,
)
