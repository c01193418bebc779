"""Runs as a table: a row for each configuration, with its spread, beside a base."""

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from launch import groups, runs
from launch.groups import Group, compare, shown
from launch.sweeping import points
from rnnlab.errors import InputError
from rnnlab.training import events

Rows = Sequence[Sequence[str]]
LOWER = {"min": "lower", "max": "higher"}


class Table(NamedTuple):
    """What a table shows.

    Attributes:
        folder: of the runs.
        metric: the figure.
        better: `min` or `max`.
        rows: its configurations.
        base: what they are compared with.
        unread: why some runs cannot be read, by folder.
    """

    folder: Path
    metric: str
    better: str
    rows: Sequence[Group]
    base: Group
    unread: Mapping[Any, str]


def read(
    folder: Path,
    metric: str = "valid.loss",
    better: str = "min",
    base: str | None = None,
) -> Table:
    """Returns the configurations of all runs in a folder.

    Args:
        folder: with workdirs, at any depth that `runs.find` looks at.
        metric: a figure of `result.json`, such as `test.loss`.
        better: `min` or `max`.
        base: `name=value,...`; None for the sweep's own, or the best.

    Raises:
        InputError: there is no run, none has the metric, or no row is the base.
    """
    found, unread = runs.find(folder)
    rows = groups.group(found, metric, better)
    if not any(len(row.values) for row in rows):
        ended = sum(run.state == "finished" for run in found)
        raise InputError(
            f"Finished runs with a figure named {metric!r} were wanted, and of the"
            f" {len(found)} runs in {folder} {ended} are finished, none with it;"
            f" `result.json` has the names, for --metric, and `events.jsonl` says why a"
            f" run ended."
        )
    if base is not None:
        against = groups.base(rows, base)
    else:
        against = groups.of_run(rows, points.read(folder).get("base")) or rows[0]
    return Table(folder, metric, better, rows, against, unread)


def text(table: Table, form: str = "text") -> str:
    """Returns a table in one of `FORMS`, below it what its figures are."""
    _, metric, better, rows, against, unread = table
    names = list(rows[0].settings)
    head = [*names, "runs", "mean", "sd", "best", "less base", "95 %", "p", "else"]
    body = [[*_settings(row), *_figures(row, against, better)] for row in rows]
    if not any(cells[-1] for cells in body):
        head, body = head[:-1], [cells[:-1] for cells in body]
    if form == "csv":
        return FORMS[form]([head, *body])
    about = f"{metric} of finished runs, {LOWER[better]} is better"
    if (others := len(rows) - 1) == 0:
        notes = [f"{about}."]
    else:
        notes = [
            f"{about}; base: {against.name}; p: Welch's t-test, not corrected for"
            f" {others} comparison{'s' * (others > 1)}."
        ]
    if twice := sum(row.twice for row in rows):
        notes.append(
            f"Runs that another equals in all settings and the seed are left out:"
            f" {twice}."
        )
    notes += [f"{place}: {why}" for place, why in unread.items()]
    notes += [f"{who}: {why}" for who, why in _lost(table.folder).items()]
    return "\n".join([FORMS[form]([head, *body]), "", *notes])


def _settings(row: Group) -> list[str]:
    return [shown(value) for value in row.settings.values()]


def _figures(row: Group, base: Group, better: str) -> list[str]:
    """Returns the cells of a row that are no settings."""
    best = min if better == "min" else max
    states = Counter(run.state for run in row.runs)
    others = ", ".join(f"{n} {s}" for s, n in sorted(states.items()) if s != "finished")
    cells = [
        f"{len(row.values)}",
        _number(row.mean),
        _number(row.spread),
        _number(best(row.values, default=math.nan)),
    ]
    if row is base:
        return [*cells, "base", "", "", others]
    found = compare(row, base)
    interval = "" if math.isnan(found.low) else f"{found.low:+.4g} to {found.high:+.4g}"
    difference = "" if math.isnan(found.mean) else f"{found.mean:+.4g}"
    p = "" if math.isnan(found.p) else f"{found.p:.2g}"
    return [*cells, difference, interval, p, others]


def _lost(folder: Path) -> dict[str, str]:
    """Returns the points of a sweep that failed last, and why."""
    last = {}
    for event in events.read(folder):
        ends = event.get("event") in ("finished", "diverged", "failed")
        if ends and "point" in event:  # else it is an event of a run
            last[event.get("run")] = event  # the name changes as a sweep grows
    return {
        f"{event['point']} {event['event']}": str(event.get("message"))
        for event in last.values()
        if event["event"] != "finished"
    }


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.5g}"


def _aligned(rows: Rows) -> str:
    """Returns columns of equal width, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _csv(rows: Rows) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().rstrip("\n")


def _markdown(rows: Rows) -> str:
    head, *body = (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        for row in rows
    )
    return "\n".join([head, "|" + "--:|" * len(rows[0]), *body])


FORMS: dict[str, Callable[[Rows], str]] = {
    "text": _aligned,
    "csv": _csv,
    "markdown": _markdown,
}
