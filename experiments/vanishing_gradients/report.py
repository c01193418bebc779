"""A study's report: one HTML page that needs no other file and no network.

A figure is an SVG image inside the page: sharp at any size, with ids of its own, which
those of other figures cannot meet. On a narrow screen figures and tables scroll inside
their boxes, at a size that can be read.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from experiments import drawing, pages
from experiments.vanishing_gradients.study import Findings
from rnnlab.files import write_atomic

NUMBER = re.compile(r"[-+−±<>≤≥~ ]*\.?\d")  # how the text of a number begins


def page(
    title: str,
    claim: str,
    source: str,
    protocol: str,
    command: str,
    findings: Findings,
    environment: Mapping[str, str],
) -> str:
    """Returns the report as HTML; all text is escaped.

    Args:
        title: what the study is about.
        claim: what was published.
        source: a link to the paper; one that is not http or https is shown as text.
        protocol: what was done.
        command: that does it again.
        findings: what was seen.
        environment: name -> value of what the numbers may hang on: commit, device,
            versions, date, seconds.

    Raises:
        ValueError: a row of the table has not one cell for each name of its head.
    """
    drawn = [_figure(name, *shown) for name, shown in findings.figures.items()]
    body = [
        f'<p class="claim">{escape(claim)} {pages.link(source)}</p>',
        '<section class="verdict" aria-labelledby="verdict">',
        '<h2 id="verdict">Verdict</h2>',
        f"<p>{escape(findings.verdict)}</p>",
        "</section>",
        "<h2>Protocol</h2>",
        f"<p>{escape(protocol)}</p>",
        "<h2>Results</h2>",
        _table(findings),
        *(["<h2>Figures</h2>", *drawn] if drawn else []),
        "<h2>To repeat it</h2>",
        pages.command(command.split(" ")),
        "<h2>Environment</h2>",
        pages.facts(environment),
    ]
    return pages.document(title, body)


def table(findings: Findings) -> str:
    """Returns the results as a table in Markdown.

    Raises:
        ValueError: a row has not one cell for each name of the head.
    """
    rule = ["---:" if number else "---" for number in _numbers(findings)]
    rows = (map(_cell, row) for row in (findings.head, *findings.rows))
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"| {' | '.join(rule)} |", *body, ""])


def write(folder: Path, findings: Findings, report: str) -> None:
    """Writes into `folder` the figures, as PNG and SVG, `table.md` and `report.html`.

    The report, as `page` makes it, comes last: one that is there has all its parts.

    Raises:
        StorageError: a file cannot be written.
        ValueError: as `table`.
    """
    for name, (figure, _) in findings.figures.items():
        drawing.save(figure, folder, name)
    write_atomic(folder / "table.md", table(findings))
    write_atomic(folder / "report.html", report)


def _table(findings: Findings) -> str:
    kinds = [' class="number"' * number for number in _numbers(findings)]

    def row(cells: Iterable[str], tags: Iterable[str]) -> str:
        return "".join(
            f"<{tag}{kind}>{escape(cell)}</{tag[:2]}>"
            for cell, tag, kind in zip(cells, tags, kinds, strict=True)
        )

    columns = len(kinds)
    head = row(findings.head, ['th scope="col"'] * columns)
    tags = ['th scope="row"', *["td"] * (columns - 1)]
    body = "\n".join(f"<tr>{row(cells, tags)}</tr>" for cells in findings.rows)
    return pages.scroll(
        "table",
        "Results",
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>",
    )


def _numbers(findings: Findings) -> list[bool]:
    """Returns of each column whether it has numbers alone, which stand to the right."""
    columns = zip(findings.head, *findings.rows, strict=True)
    return [
        bool(cells) and all(NUMBER.match(cell) for cell in cells)
        for _, *cells in columns
    ]


def _cell(text: str) -> str:
    """Returns text that stays in its cell of a Markdown table, and stays text."""
    return escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _figure(name: str, figure: Figure, caption: str) -> str:
    data = base64.b64encode(drawing.encoded(figure, ".svg")).decode()
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    image = (
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(_alt(figure))}"'
        f' width="{width}" height="{height}">'
    )
    card = pages.scroll("card", f"Figure {name}", image)
    return f"<figure>{card}\n<figcaption>{escape(caption)}</figcaption></figure>"


def _alt(figure: Figure) -> str:
    """Returns in words what a figure of `figures` shows: axes, panels and lines."""
    parts = [f"{figure.get_supylabel()} against {figure.get_supxlabel()}"]
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    scales = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    lines = [text.get_text() for box in figure.legends for text in box.get_texts()]
    for what, names in (("panels", titles), ("colour", scales), ("lines", lines)):
        if names:
            parts.append(f"{what}: {', '.join(names)}")
    return f"{'; '.join(parts)}."
