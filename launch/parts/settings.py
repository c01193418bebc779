"""What the runs were asked: settings that differ, and those that all share."""

import collections
import shlex
from collections.abc import Iterator

import experiments
from launch import groups
from launch.parts.subject import Subject
from launch.parts.table import Cell, Column, table, words
from launch.parts.text import counted, plain
from launch.sweeping import points
from rnnlab.options import flat

MOST = 12  # values of a setting that are listed


def differing(subject: Subject) -> str:
    """Returns the table of settings that differ: their default and their values."""
    defaults = _defaults(subject)
    rows = [
        [words(name), words(_shown(defaults, name)), _long(values(subject, name))]
        for name in groups.varied(subject.runs)
    ]
    if not rows:
        return "<p>All runs have the same settings.</p>"
    columns = [Column(name) for name in ("setting", "default", "values and runs")]
    return table("Settings that differ", columns, rows)


def shared(subject: Subject) -> str:
    """Returns the settings that all runs share, folded; those not at default first."""
    defaults = _defaults(subject)
    every = [run.settings for run in subject.runs]
    varied = set(groups.varied(subject.runs))
    common = {name: value for name, value in every[0].items() if name not in varied}
    changed = [k for k, value in common.items() if value != defaults.get(k, value)]
    rows = "".join(
        f"<dt>{plain(name)}</dt><dd>{plain(groups.shown(common[name]) or '(empty)')}"
        f"{' <strong>not the default</strong>' if name in changed else ''}</dd>"
        for name in dict.fromkeys([*changed, *common])
    )
    return (
        f"<details><summary>{counted(len(common), 'setting')} that all share,"
        f" {len(changed)} not at the default</summary><dl>{rows}</dl></details>"
    )


def asked(subject: Subject) -> Iterator[str]:
    """Yields what a sweep was asked for, where the folder is a sweep's.

    Raises:
        InputError: its record is damaged.
    """
    record = points.read(subject.folder)
    if not record:
        return
    begun = {run.folder.name for run in subject.runs}
    waiting = sum(point["run"] not in begun for point in record["points"])
    defaults = points.Plan()._asdict()
    given = [
        f"--{name}={groups.shown(value)}"
        for name, value in record["plan"].items()
        if value != defaults.get(name)
    ]
    yield (
        f"<p>A sweep of {counted(len(record['points']), 'point')}, of which {waiting}"
        f" have not begun: <code>{plain(shlex.join(given))}</code></p>"
    )


def differ(subject: Subject) -> str:
    """Returns in words which settings differ, empty where none do."""
    names = groups.varied(subject.runs)
    return f"They differ in {', '.join(names)}." if names else ""


def values(subject: Subject, name: str) -> str:
    """Returns the values of a setting with the number of runs of each, as text."""
    found = [run.settings[name] for run in subject.runs if name in run.settings]
    count = collections.Counter(map(groups.shown, found))
    listed = [f"{value or '(empty)'} ×{n}" for value, n in count.most_common(MOST)]
    more = len(count) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")


def _long(text: str) -> Cell:
    return Cell(f'<span class="long">{plain(text)}</span>', text)


def _defaults(subject: Subject) -> dict[str, object]:
    names = dict.fromkeys(run.record.experiment for run in subject.runs)
    found = {}
    for name in names:
        found |= flat(experiments.config(name)())
    return found


def _shown(defaults: dict[str, object], name: str) -> str:
    return groups.shown(defaults[name]) or "(empty)" if name in defaults else ""
