"""The whole page: its parts, in the order in which they are asked for."""

from collections.abc import Iterator, Mapping

from experiments import pages
from launch.parts import (
    chart,
    commands,
    curves,
    environment,
    importance,
    outcomes,
    parallel,
    samples,
    settings,
)
from launch.parts.subject import Subject
from launch.parts.text import counted, data, plain

STYLES = "report.css", "chart.css"
SCRIPTS = "sort.js", "scales.js", "chart.js"
FOLDED = 40  # runs above which their table is folded
DIRECTION = {"min": "smaller", "max": "greater"}


def page(subject: Subject, texts: int) -> str:
    """Returns the page about runs as HTML.

    Args:
        subject: the runs, and what counts.
        texts: that the best language model writes.
    """
    lines, unread = curves.collect(subject)
    most = curves.budget(lines)
    trained = {name: lines[name] for name in curves.TITLES if name in lines}
    probed = {name: found for name, found in lines.items() if name not in trained}
    charts = {
        "curves": curves.chart(trained, most),
        "probes": curves.chart(probed, most),
    }
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
            {subject.place(folder): why for folder, why in subject.unread.items()}
            | unread
        ),
        f'<script type="application/json" id="data">{data(known)}</script>',
    ]
    title = subject.folder.name or "Runs"
    styles = [pages.asset("launch.parts", name) for name in STYLES]
    script = "\n".join(pages.asset("launch.parts", name) for name in SCRIPTS)
    return pages.document(title, body, styles, script)


def _head(subject: Subject) -> Iterator[str]:
    count = counted(len(subject.groups), "configuration")
    yield (
        f'<p class="claim">{plain(outcomes.states(subject.runs))} of {count}, judged by'
        f" {plain(subject.metric)}: {DIRECTION[subject.better]} is better.</p>"
    )
    yield '<section class="verdict" aria-labelledby="best"><h2 id="best">Best</h2>'
    yield f"<p>{plain(outcomes.best(subject))}</p></section>"


def _outcomes(subject: Subject) -> Iterator[str]:
    yield "<h2>Configurations</h2>"
    yield outcomes.configurations(subject)
    if len(subject.groups) > 1:
        yield (
            '<p class="note">± is the standard deviation over runs of one'
            " configuration; p that of Welch's test against"
            f" {plain(subject.name(subject.base))}, not corrected for the number of"
            " tests. Press a column's name to sort by it.</p>"
        )
    opened = "" if len(subject.runs) > FOLDED else " open"
    yield f"<h2>Runs</h2><details{opened}><summary>"
    yield f"{plain(outcomes.states(subject.runs))}</summary>"
    yield f"{outcomes.each(subject)}</details>"


def _charts(charts: Mapping[str, Mapping]) -> Iterator[str]:
    titles = {"curves": "Learning curves", "probes": "Gradient probes"}
    for name, title in titles.items():
        if charts[name]["figures"]:
            yield f"<h2>{title}</h2>"
            yield chart.chart(name, title)


def _sweep(subject: Subject) -> Iterator[str]:
    found = importance.influences(subject.groups)
    if not found:
        return
    yield "<h2>What matters</h2>"
    yield importance.bars(found)
    yield (
        '<p class="note">From 0 to 1: the rank correlation of a setting with'
        f" {plain(subject.metric)} over configurations; of a choice, which has no"
        " order, the root of the share of ranks that its values explain, which is"
        " never 0 by chance alone. + where a greater setting goes with a greater"
        f" {plain(subject.metric)}. A number that is best in the middle shows little"
        " here, and more in the picture.</p>"
    )
    picture = parallel.drawing(
        subject.groups, [one.name for one in found], subject.metric
    )
    yield f"<figure>{pages.scroll('wide', 'Parallel coordinates', picture)}"
    yield "<figcaption>A line for each configuration, the best ones dark.</figcaption>"
    yield "</figure>"


def _settings(subject: Subject) -> Iterator[str]:
    yield "<h2>Settings</h2>"
    yield settings.differing(subject)
    yield settings.shared(subject)


def _unread(unread: Mapping[str, str]) -> Iterator[str]:
    if unread:
        yield "<h2>Could not be read</h2>"
        facts = (
            f"<dt>{plain(place)}</dt><dd>{plain(why)}</dd>"
            for place, why in unread.items()
        )
        yield f"<dl>{''.join(facts)}</dl>"
