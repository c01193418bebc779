"""The tables: what each configuration reached, with its spread, and each run."""

import math
from collections.abc import Sequence

import numpy as np

from launch import groups
from launch.groups import SEED, Group
from launch.parts.chart import swatch
from launch.parts.subject import Subject, figures
from launch.parts.table import Cell, Column, table, words
from launch.parts.text import counted, duration, number, plain, probability
from launch.runs import Run

STATES = "finished", "running", "stopped", "pruned", "diverged", "failed"


def configurations(subject: Subject) -> str:
    """Returns the table of configurations, the best first."""
    compare = compared(subject)
    others = [name for name in figures(subject.runs) if name != subject.metric]
    columns = [
        Column("#", order="ascending"),
        Column(subject.metric, True),
        *([Column("±", True), Column("p", True)] if compare else []),
        Column("runs", True),
        *(Column(k, _numeric(subject, k)) for k in subject.groups[0].settings),
        *(Column(name, True) for name in others),
        *(Column(name, True) for name in ("parameters", "tokens/s", "time")),
    ]
    rows = [
        [
            _sampled(place, str(place + 1)),
            *_reached(subject, place, group, compare),
            *map(_setting, group.settings.values()),
            *(_mean(group, name) for name in [*others, "parameters"]),
            _mean(group, "tokens_per_second"),
            _time(_average(group.runs, "seconds")),
        ]
        for place, group in enumerate(subject.groups)
    ]
    return table("Configurations", columns, rows)


def compared(subject: Subject) -> bool:
    """Returns whether there is a spread, and a group to compare with another."""
    repeated = any(len(group.values) > 1 for group in subject.groups)
    return repeated and len(subject.groups) > 1


def each(subject: Subject) -> str:
    """Returns the table of all runs: where each stands, and what it reached."""
    numbers = "best step", "steps", "tokens/s", "time"
    columns = [
        Column("run"),
        Column(subject.metric, True),
        Column("seed", True),
        Column("state"),
        *(Column(name, True) for name in numbers),
        Column("configuration"),
    ]
    rows = [
        [
            _sampled(place, subject.place(run.folder)),
            _figure(run.figure(subject.metric)),
            _figure(run.settings.get(SEED)),
            _state(run),
            *(_figure(run.figure(k)) for k in ("best_step", "steps")),
            _figure(run.figure("tokens_per_second")),
            _time(run.figure("seconds")),
            words(subject.name(group)),
        ]
        for place, group in enumerate(subject.groups)
        for run in group.runs
    ]
    return table("Runs", columns, rows)


def _sampled(place: int, name: str) -> Cell:
    """Returns a name with a sample of its configuration's line."""
    return Cell(f"{swatch(place)} {plain(name)}", name)


def _numeric(subject: Subject, name: str) -> bool:
    values = [group.settings.get(name) for group in subject.groups]
    kinds = {type(value) for value in values if value is not None}
    return bool(kinds) and kinds <= {int, float}


def _setting(value: object) -> Cell:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell(plain(groups.shown(value)), float(value))
    return Cell(plain(groups.shown(value)), None if value is None else str(value))


def _reached(subject: Subject, place: int, group: Group, compare: bool) -> list[Cell]:
    """Returns the metric's mean, its spread and p if wanted, and how many runs."""
    done, whole = len(group.values), len(group.runs)
    cells = [_figure(group.mean)._replace(best=place == 0 and done > 0)]
    if compare:
        base = group is subject.base
        p = math.nan if base else groups.compare(group, subject.base).p
        cells += [
            _figure(group.spread, 2),
            Cell("base" if base else probability(p), p),
        ]
    count = f"{done}" if done == whole else f"{done} of {whole}"
    return [*cells, Cell(count, float(done))]


def _figure(value: float | None, digits: int = 5) -> Cell:
    return Cell(number(value, digits), None if value is None else float(value))


def _average(runs: Sequence[Run], name: str) -> float | None:
    found = [run.figure(name) for run in runs if run.state == "finished"]
    values = [value for value in found if value is not None]
    return float(np.mean(values)) if values else None


def _mean(group: Group, name: str) -> Cell:
    return _figure(_average(group.runs, name))


def _time(seconds: float | None) -> Cell:
    return Cell(duration(seconds), seconds)


def _state(run: Run) -> Cell:
    told = f'<span class="state {run.state}">{plain(run.state)}</span>'
    if run.message:
        told += f' <span class="long">{plain(run.message)}</span>'
    return Cell(told, run.state)


def states(runs: Sequence[Run]) -> str:
    """Returns how many runs there are, and where they stand, as text."""
    every = [run.state for run in runs]
    parts = [f"{every.count(state)} {state}" for state in STATES if state in every]
    return f"{counted(len(runs), 'run')} ({', '.join(parts)})"


def best(subject: Subject) -> str:
    """Returns in words what the best configuration reached, as text."""
    group = subject.groups[0]
    if not len(group.values):
        return f"No run has reached a {subject.metric} yet."
    spread = f" ± {number(group.spread, 2)}" if len(group.values) > 1 else ""
    over = counted(len(group.values), "run")
    reached = f"{number(group.mean, 5)}{spread} over {over}"
    return f"{subject.name(group)}: {subject.metric} {reached}"
