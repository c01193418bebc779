"""What a study is: a claim, the runs that test it, and what their results show."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from rnnlab.training.grid import Group, Result


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a study shows.

    Attributes:
        head: of the table, a name a column.
        rows: of the table, as text.
        verdict: one sentence: reproduced, in part, or not reproduced, and what was
            seen.
        figures: by the name of their file, with a caption each.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdict: str
    figures: Mapping[str, tuple[Figure, str]]


@dataclasses.dataclass(frozen=True)
class Study:
    """A published claim, and how it is tested here.

    Attributes:
        title: what it is about.
        claim: what was published.
        source: a link to the paper.
        protocol: from a configuration, what is done, in a paragraph.
        groups: from a configuration, the runs.
        findings: from a configuration and the results of all runs, what they show.
    """

    title: str
    claim: str
    source: str
    protocol: Callable[[Any], str]
    groups: Callable[[Any], Sequence[Group]]
    findings: Callable[[Any, Sequence[Result]], Findings]


def by(results: Sequence[Result], *names: str) -> dict[tuple[Any, ...], list[Result]]:
    """Returns results by parts of their points' names, in the order of the grid."""
    found: dict[tuple[Any, ...], list[Result]] = {}
    for result in results:
        found.setdefault(tuple(result.name[name] for name in names), []).append(result)
    return found


def losses(result: Result) -> list[tuple[float, float | None]]:
    """Returns (updates, loss) at each look, for `figures.curves`."""
    return [(at, loss) for at, loss, _ in result.curve]
