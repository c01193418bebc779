"""The whole page: its parts, in the order in which they are asked for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from experiments import pages
from launch.parts import (
    chart,
    commands,
    curves,
    environment,
    importance,
    lags,
    outcomes,
    parallel,
    samples,
    settings,
)
from launch.parts.subject import Subject
from launch.parts.text import counted, data, plain
from rnnlab.errors import shown

STYLES = "report.css", "chart.css"
SCRIPTS = "sort.js", "scales.js", "lines.js", "chart.js"
FOLDED = 40  # runs above which their table is folded
DIRECTION = {"min": "smaller", "max": "greater"}


def page(subject: Subject, texts: int) -> str:
    """Returns the page about runs as HTML.

    Args:
        subject: the runs, and what counts.
        texts: that the best language model writes.
    """
    charts, unread = _drawn(subject)
    names = [subject.name(group) for group in subject.groups]
    known = {"configurations": names, "charts": charts}
    body = [
        *_head(subject),
        *_outcomes(subject),
        *_charts(charts),
        *_sweep(subject),
        *samples.section(subject, texts),
        *_settings(subject),
        "<h2>To repeat a run</h2>",
        commands.commands(subject),
        "<h2>Environment</h2>",
        environment.environment(subject.runs),
        *_unread(
            {subject.place(place): why for place, why in subject.unread.items()}
            | unread
        ),
        f'<script type="application/json" id="data">{data(known)}</script>',
    ]
    title = shown(subject.folder.name) or "Runs"
    styles = [pages.asset("launch.parts", name) for name in STYLES]
    script = "\n".join(pages.asset("launch.parts", name) for name in SCRIPTS)
    return pages.document(title, body, styles, script)


def _head(subject: Subject) -> Iterator[str]:
    count = counted(len(subject.groups), "configuration")
    yield (
        f'<p class="claim">{plain(outcomes.states(subject.runs))} of {count}, judged by'
        f" {plain(subject.metric)}: {DIRECTION[subject.better]} is better."
        f" {plain(settings.differ(subject))}</p>"
    )
    yield '<section class="verdict" aria-labelledby="best"><h2 id="best">Best</h2>'
    yield f"<p>{plain(outcomes.best(subject))}</p></section>"


def _outcomes(subject: Subject) -> Iterator[str]:
    yield "<h2>Configurations</h2>"
    yield outcomes.configurations(subject)
    if outcomes.compared(subject):
        base = [group is subject.base for group in subject.groups].index(True) + 1
        yield (
            '<p class="note">± is the standard deviation over runs of one'
            f" configuration; p that of Welch's test against number {base}, not"
            " corrected for the number of tests.</p>"
        )
    opened = "" if len(subject.runs) > FOLDED else " open"
    yield f"<h2>Runs</h2><details{opened}><summary>"
    yield f"{plain(outcomes.states(subject.runs))}</summary>"
    yield f"{outcomes.each(subject)}</details>"


def _drawn(subject: Subject) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns what the charts draw, by title, and why some runs are not in them."""
    lines, unread = curves.collect(subject)
    faded, unprobed = lags.collect(subject)
    most = curves.budget(lines)
    trained = {name: lines[name] for name in curves.TITLES if name in lines}
    probed = {name: found for name, found in lines.items() if name not in trained}
    charts = {
        "Learning curves": curves.chart(trained, most, "step"),
        "Gradient probes": curves.chart(probed, most, "step"),
        "Norm of the gradient by lag": curves.chart(faded, most, "lag"),
    }
    kept = {title: drawn for title, drawn in charts.items() if drawn["figures"]}
    return kept, unread | unprobed


def _charts(titles: Iterable[str]) -> Iterator[str]:
    for title in titles:
        yield f"<h2>{plain(title)}</h2>"
        yield chart.chart(title)


def _sweep(subject: Subject) -> Iterator[str]:
    found = importance.influences(subject.groups)
    if not found:
        return
    yield "<h2>What matters</h2>"
    yield importance.bars(found)
    yield (
        '<p class="note">From 0 to 1: the rank correlation of a setting with'
        f" {plain(subject.metric)} over configurations; of a choice, which has no"
        " order, the root of the share of ranks that its values explain, to which"
        " chance adds. + where a greater setting goes with a greater"
        f" {plain(subject.metric)}. A number that is best in the middle shows little"
        " here, and more in the picture.</p>"
    )
    picture = parallel.drawing(
        subject.groups, [one.name for one in found], subject.metric
    )
    yield f"<figure>{pages.scroll('wide', 'Parallel coordinates', picture)}"
    told = "A line for each configuration, the best ones strong."
    yield f"<figcaption>{told}</figcaption></figure>"


def _settings(subject: Subject) -> Iterator[str]:
    yield "<h2>Settings</h2>"
    yield settings.differing(subject)
    yield settings.shared(subject)
    yield from settings.asked(subject)


def _unread(unread: Mapping[str, str]) -> Iterator[str]:
    if unread:
        yield "<h2>Could not be read</h2>"
        facts = (
            f"<dt>{plain(place)}</dt><dd>{plain(why)}</dd>"
            for place, why in unread.items()
        )
        yield f"<dl>{''.join(facts)}</dl>"
