"""What a page is about: the runs of a folder, by configuration, and what counts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from launch import groups
from launch.groups import Group
from launch.runs import Run
from launch.sweeping import points
from rnnlab.errors import InputError
from rnnlab.options import nearest

SECTIONS = "valid", "test"  # of a result, with figures by name
MOST = 12  # figures by name that are looked for in results


class Subject(NamedTuple):
    """What the parts of a page share.

    Attributes:
        folder: that holds the runs.
        runs: all that can be read.
        unread: why others cannot, by folder.
        groups: the runs by configuration, the best first.
        metric: the figure that counts, such as `valid.loss`.
        better: `min` or `max`.
        base: the group that the others are compared with.
    """

    folder: Path
    runs: Sequence[Run]
    unread: Mapping[Path, str]
    groups: Sequence[Group]
    metric: str
    better: str
    base: Group

    def place(self, folder: Path) -> str:
        """Returns a run's folder, from the one that holds them all."""
        inside = folder.relative_to(self.folder).as_posix()
        return self.folder.name if inside == "." else inside

    def name(self, group: Group) -> str:
        """Returns what a configuration is called: all that is its own."""
        return group.name or (
            self.place(group.runs[0].folder) if len(group.runs) == 1 else "all runs"
        )


def subject(
    folder: Path,
    runs: Sequence[Run],
    unread: Mapping[Path, str],
    metric: str,
    better: str,
    asked: str | None,
) -> Subject:
    """Returns what a page about runs shares.

    Args:
        folder: that holds the runs.
        runs: one or more.
        unread: why others cannot be read, by folder.
        metric: a figure of the results.
        better: `min` or `max`.
        asked: settings that single out the base; None for the sweep's own or the best.

    Raises:
        InputError: no finished run has the metric, or no one group is asked for.
    """
    finished = [run for run in runs if run.state == "finished"]
    if finished and all(run.figure(metric) is None for run in finished):
        known = figures(runs)
        meant = nearest(metric, known) or f"; they have {', '.join(known)}."
        raise InputError(
            f"--metric must be a figure of the runs' results, got {metric}{meant}"
        )
    found = groups.group(runs, metric, better)
    if asked is not None:
        base = groups.base(found, asked)
    else:
        base = groups.of_run(found, points.read(folder).get("base")) or found[0]
    return Subject(folder, runs, unread, found, metric, better, base)


def figures(runs: Sequence[Run]) -> list[str]:
    """Returns the names of what the runs were judged by, such as `test.perplexity`."""
    names = [
        f"{section}.{name}"
        for run in runs
        for section in SECTIONS
        if isinstance(inside := run.result.get(section), Mapping)
        for name in inside
        if run.figure(f"{section}.{name}") is not None
    ]
    return list(dict.fromkeys(names))[:MOST]
