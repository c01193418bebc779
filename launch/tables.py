"""Runs as a table: a row for each configuration, with its spread, beside a base."""

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from launch import groups, runs
from launch.groups import Group, compare, shown
from launch.sweeping import points
from rnnlab.errors import InputError
from rnnlab.training import events

Rows = Sequence[Sequence[str]]


def text(
    folder: Path,
    metric: str = "valid.loss",
    better: str = "min",
    base: str | None = None,
    form: str = "text",
) -> str:
    """Returns the table of all runs in a folder.

    Args:
        folder: with workdirs, at any depth that `runs.find` looks at.
        metric: a figure of `result.json`, such as `test.loss`.
        better: `min` or `max`.
        base: `name=value,...`; None for the sweep's own, or the best.
        form: a key of `FORMS`.

    Raises:
        InputError: there is no run, none has the metric, or no row is the base.
    """
    found, unread = runs.find(folder)
    rows = groups.group(found, metric, better)
    if not any(len(row.values) for row in rows):
        ended = sum(run.state == "finished" for run in found)
        raise InputError(
            f"A figure that a finished run has was wanted, and of {ended} that are"
            f" finished in {folder} none has {metric!r}; pass --metric=valid.loss, say."
        )
    if base is not None:
        against = groups.base(rows, base)
    else:
        against = groups.of_run(rows, points.read(folder).get("base")) or rows[0]
    names = list(rows[0].settings)
    head = [*names, "runs", "mean", "sd", "best", "less base", "95 %", "p", "else"]
    body = [[*_settings(row), *_figures(row, against, better)] for row in rows]
    if not any(cells[-1] for cells in body):
        head, body = head[:-1], [cells[:-1] for cells in body]
    if form == "csv":
        return FORMS[form]([head, *body])
    notes = [
        f"{metric} of finished runs, {'lower' if better == 'min' else 'higher'} is"
        f" better; base: {against.name or 'the only configuration'}; p: Welch's t-test,"
        f" not corrected for {len(rows) - 1} comparisons."
    ]
    notes += [f"{place}: {why}" for place, why in unread.items()]
    notes += [f"{who}: {why}" for who, why in _lost(folder).items()]
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
        if event.get("event") in ("finished", "diverged", "failed"):
            last[event.get("point")] = event
    failed = {k: e for k, e in last.items() if e["event"] != "finished"}
    return {
        f"{name} {event['event']}": str(event.get("message"))
        for name, event in failed.items()
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
