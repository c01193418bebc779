"""Variants of a network on problems of some lengths: what most studies have in common.

A study names its problems and variants and judges what comes of them; here are their
grid (variant x length x learning rate x seed), the table and the learning curves.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import optax

from experiments.vanishing_gradients import figures
from experiments.vanishing_gradients.network import Init, Network, learner
from experiments.vanishing_gradients.study import Findings, by, losses
from rnnlab.cell import Cell
from rnnlab.errors import InputError
from rnnlab.options import check, numbers, option, whole_numbers
from rnnlab.problems import Classes, Problem
from rnnlab.training.grid import Group, Point, Result
from rnnlab.training.replicas import Knobs

HEAD = ("problem", "variant", "rate", "solved", "updates, median", "loss", "error")


@dataclasses.dataclass(frozen=True)
class Config:
    """What all comparisons can be asked for; each has its own defaults."""

    lengths: str = option("100", "of the problem, see the study", free=True)
    seeds: int = option(3, "runs of each point", above=0, free=True)
    features: int = option(64, "units", above=0)
    batch_size: int = option(32, "sequences of an update", above=0)
    learning_rates: str = option("1e-3", "one or more", free=True)
    updates: int = option(5000, "the most that a run may have", above=0)
    every: int = option(200, "updates between two looks at the error", above=0)

    def __post_init__(self):
        check(self)
        self.steps()
        self.rates()

    def steps(self) -> tuple[int, ...]:
        """Returns the lengths."""
        return whole_numbers("lengths", self.lengths)

    def rates(self) -> tuple[float, ...]:
        """Returns the learning rates."""
        return numbers("learning_rates", self.learning_rates)


def points_of(config: Config, **name: str | int) -> tuple[Point, ...]:
    """Returns a point for each learning rate and seed, beside what all have in common.

    Their knobs are the rate, and the weight of Omega where there is one.
    """
    return tuple(
        Point({**name, "rate": rate, "seed": seed}, seed, {"rate": rate, "omega": 4.0})
        for rate in config.rates()
        for seed in range(config.seeds)
    )


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to make the network.

    Attributes:
        cell: from the number of units.
        init: the first parameters, from a length; None for the cell's own.
        optimizer: from knobs; None for the comparison's.
        omega: which gradient of Pascanu's penalty is added, with the weight 4.
    """

    cell: Callable[[int], Cell[Any]]
    init: Callable[[int], Init] | None = None
    optimizer: Callable[[Knobs], optax.GradientTransformation] | None = None
    omega: Literal["", "paper", "exact"] = ""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a study compares.

    Attributes:
        problems: by name, from a length.
        variants: by name.
        optimizer: by name in words, and from the knob `rate`.
        solved: the error below which a run is done; None to go on to the end.
    """

    problems: Mapping[str, Callable[[int], Problem]]
    variants: Mapping[str, Variant]
    optimizer: tuple[str, Callable[[Knobs], optax.GradientTransformation]]
    solved: float | None = 0.01

    def asked(self, config: Config) -> Mapping[str, tuple[int, Problem]]:
        """Returns each problem at each length, by name.

        Raises:
            InputError: a length that a problem refuses.
        """
        found = {}
        for name, make in self.problems.items():
            for steps in config.steps():
                try:
                    found[f"{name}, T = {steps}"] = steps, make(steps)
                except ValueError as error:
                    raise InputError(f"--lengths={steps}: {error}") from error
        return found

    def groups(self, config: Config) -> Sequence[Group]:
        """Returns a group for each problem and variant: rates and seeds in one."""
        found = []
        for problem_name, (steps, problem) in self.asked(config).items():
            for name, variant in self.variants.items():
                network = Network(
                    variant.cell(config.features), problem, config.batch_size
                )
                init = None if variant.init is None else variant.init(steps)
                points = points_of(config, problem=problem_name, variant=name)
                found.append(
                    Group(
                        f"{problem_name}, {name}",
                        learner(
                            network,
                            variant.optimizer or self.optimizer[1],
                            init,
                            variant.omega,
                        ),
                        points,
                        config.updates,
                        config.every,
                        self.solved,
                    )
                )
        return found

    def protocol(self, config: Config) -> str:
        """Returns what is done, and the floors."""
        floors = "; ".join(
            f"{name}: {problem.floor:.4g}"
            for name, (_, problem) in self.asked(config).items()
        )
        done = (
            "all of them"
            if self.solved is None
            else f"or until fewer than {self.solved:.0%} of 10,000 new sequences fail"
        )
        return (
            f"One layer of {config.features} units, a linear output;"
            f" {self.optimizer[0]} at {config.learning_rates} on {config.batch_size}"
            f" new sequences an update; up to {config.updates:,} updates, {done}, with"
            f" a look every {config.every}; {config.seeds} seeds. Losses without a"
            f" memory: {floors}."
        )

    def findings(
        self, config: Config, results: Sequence[Result], verdict: str
    ) -> Findings:
        """Returns the table, with each variant's curves at its best rate."""
        rows = [
            (problem, name, f"{rate:g}", *self._summary(runs))
            for (problem, name, rate), runs in by(
                results, "problem", "variant", "rate"
            ).items()
        ]
        panels: dict[str, dict[str, list[Any]]] = {}
        for (problem, name), best in at_best(results).items():
            panels.setdefault(problem, {})[name] = [losses(run) for run in best]
        asked, pictures = self.asked(config), {}
        for k, (problem, curves) in enumerate(panels.items(), start=1):
            unit = "nats" if isinstance(asked[problem][1], Classes) else "squared error"
            picture = figures.curves(
                {problem: curves},
                asked[problem][1].floor,
                f"loss ({unit})",
                floor_name="no memory",
            )
            caption = f"{problem}: loss at the best rate of each, median and range."
            pictures[f"learning-{k}"] = picture, caption
        return Findings(HEAD, rows, verdict, pictures)

    def _summary(self, runs: Sequence[Result]) -> tuple[str, ...]:
        """Returns the summary; "-" for solved where no run stops at that."""
        solved, *rest = summary(runs)
        return (solved if self.solved is not None else "-", *rest)

    def by_last_loss(
        self,
        config: Config,
        results: Sequence[Result],
        holds: Callable[[Mapping[str, float], float], bool],
    ) -> Findings:
        """Returns the findings of a claim about losses at the end.

        Args:
            config: of the study.
            results: of all its runs.
            holds: from the last losses by variant, at the best rates, and the floor of
                a problem, whether the claim holds there.
        """
        best, held, said = at_best(results), [], []
        for name, (_, problem) in self.asked(config).items():
            found = {each: last_loss(best[name, each]) for each in self.variants}
            held.append(holds(found, problem.floor))
            each = ", ".join(f"{variant} {loss:.4f}" for variant, loss in found.items())
            said.append(f"{name}: {each} ({problem.floor:.4f} without a memory)")
        after = f"loss after {config.updates:,} updates"
        verdict = f"{word(held)}: {after}, {'; '.join(said)}."
        return self.findings(config, results, verdict)


def summary(runs: Sequence[Result]) -> tuple[str, str, str, str]:
    """Returns solved, updates until then, last loss and error of equal runs."""
    solved = [run.updates for run in runs if run.solved]
    after = f"{np.median(solved):,.0f}" if solved else "-"
    return (
        f"{len(solved)} of {len(runs)}",
        after,
        spread([run.curve[-1][1] for run in runs], ".4f"),
        spread([run.curve[-1][2] for run in runs], ".1%"),
    )


def spread(values: Sequence[float | None], form: str) -> str:
    """Returns the median and the range of what is finite, and how much is not."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return "diverged"
    lost = f", {len(values) - len(known)} diverged" if len(known) < len(values) else ""
    low, high = (format(value, form) for value in (known[0], known[-1]))
    return f"{format(float(np.median(known)), form)} [{low}, {high}]{lost}"


def quality(runs: Sequence[Result]) -> tuple[float, float, float]:
    """Returns what is the smaller, the better the runs are: error, updates, loss."""
    errors = [run.curve[-1][2] for run in runs]
    worst = [math.inf if error is None else error for error in errors]
    solved = [
        0.0 if run.solved else error for run, error in zip(runs, worst, strict=True)
    ]
    updates = float(np.mean([run.updates for run in runs]))
    return float(np.median(solved)), updates, last_loss(runs)


def last_loss(runs: Sequence[Result]) -> float:
    """Returns the median of the last losses; infinite for what has diverged."""
    losses = [run.curve[-1][1] for run in runs]
    return float(np.median([np.inf if loss is None else loss for loss in losses]))


def word(holds: Sequence[bool]) -> str:
    """Returns how a verdict begins, from whether the claim holds at each problem."""
    if all(holds):
        return "Reproduced"
    return "Reproduced in part" if any(holds) else "Not reproduced"


def adam(norm: float) -> tuple[str, Callable[[Knobs], optax.GradientTransformation]]:
    """Returns Adam on a gradient clipped to a norm, in words and as it is."""

    def make(knobs: Knobs) -> optax.GradientTransformation:
        return optax.chain(optax.clip_by_global_norm(norm), optax.adam(knobs["rate"]))

    return f"Adam, gradient clipped to norm {norm:g},", make


def rmsprop(decay: float) -> tuple[str, Callable[[Knobs], Any]]:
    """Returns RMSProp without clipping, in words and as it is."""

    def make(knobs: Knobs) -> optax.GradientTransformation:
        return optax.rmsprop(knobs["rate"], decay=decay)

    return f"RMSProp with decay {decay:g}, no clipping,", make


def at_best(results: Sequence[Result]) -> dict[tuple[str, str], Sequence[Result]]:
    """Returns the runs at the best rate, by problem and variant."""
    return {
        key: min(by(runs, "rate").values(), key=quality)
        for key, runs in by(results, "problem", "variant").items()
    }
