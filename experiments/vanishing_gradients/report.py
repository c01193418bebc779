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

from experiments import drawing
from experiments.vanishing_gradients.study import Findings
from rnnlab.files import write_atomic

NUMBER = re.compile(r"[-+−±<>≤≥~ ]*\.?\d")  # how the text of a number begins

STYLE = """\
:root { color-scheme: light dark; --paper: #fffefb; --ink: #1d1f21; --soft: #5b6167;
  --rule: #dddad2; --box: #f4f1e8; --link: #00598c; --mark: #0072b2;
  --shade: #0002; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e6e4df;
  --soft: #a3a9b0; --rule: #363a40; --box: #21252a; --link: #7cc4f5;
  --mark: #56b4e9; --shade: #fff4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 Charter, "Bitstream Charter", "Sitka Text", Cambria, serif;
  -webkit-text-size-adjust: 100%; text-size-adjust: 100%; overflow-wrap: break-word; }
main { max-width: 50rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: clamp(1.6rem, 1.2rem + 2vw, 2.3rem); line-height: 1.2; margin: 0 0 1rem;
  text-wrap: balance; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.5rem 0 .6rem; }
p { margin: 0 0 .8rem; }
a { color: var(--link); overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
.claim { color: var(--soft); }
.verdict { margin: 2rem 0; padding: 1rem 1.25rem; background: var(--box);
  border-left: .35rem solid var(--mark); border-radius: 0 .4rem .4rem 0; }
.verdict h2 { margin: 0; font-size: .95rem; color: var(--soft); }
.verdict p { margin: .2rem 0 0; font-size: 1.25rem; line-height: 1.45; }
.scroll { overflow-x: auto; }
/* A shade at an edge behind which there is more: paper that scrolls along hides it. */
.table { background: linear-gradient(90deg, var(--paper) 1rem, transparent 3rem) local,
  linear-gradient(-90deg, var(--paper) 1rem, transparent 3rem) local,
  linear-gradient(90deg, var(--shade), transparent 1rem) 0 1px / 100% calc(100% - 2px)
  no-repeat, linear-gradient(-90deg, var(--shade), transparent 1rem) 0 1px / 100%
  calc(100% - 2px) no-repeat; }
table { border-collapse: collapse; min-width: 100%;
  font: .9rem/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .9rem .4rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--rule); white-space: nowrap; }
tr > :last-child { padding-right: 0; }
thead th { border-bottom: 2px solid var(--soft); }
tbody th { font-weight: normal; }
.number { text-align: right; }
figure { margin: 0 0 2rem; }
.card { background: #fff; color-scheme: light; border: 1px solid var(--rule);
  border-radius: .4rem; padding: .5rem; }
.card img { display: block; width: 100%; min-width: 38rem; height: auto; }
@media (max-width: 41rem) { .card::after { content: "\\2194  scrolls sideways";
  position: sticky; left: 0; display: block; width: max-content; color: #5b6167;
  font: .75rem/1.6 system-ui, sans-serif; } }
figcaption { margin-top: .5rem; font-size: .95rem; line-height: 1.5;
  color: var(--soft); }
pre { margin: 0; padding: .8rem 1rem; background: var(--box); border-radius: .4rem;
  font: .875rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre span { display: inline-block; max-width: 100%; word-break: break-all; }
dl { display: grid; grid-template-columns: fit-content(40%) 1fr; gap: .25rem 1.25rem;
  margin: 0; font: .9rem/1.5 system-ui, sans-serif; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
"""


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
    # A line that is too long is broken between words, never behind the -- of a flag.
    words = " ".join(f"<span>{escape(word)}</span>" for word in command.split(" "))
    facts = [
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in environment.items()
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
            " style-src 'unsafe-inline'; img-src data:\">",
            f"<title>{escape(title)}</title>",
            '<link rel="icon" href="data:,">',
            f"<style>\n{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="claim">{escape(claim)} {_link(source)}</p>',
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
            f"<pre><code>{words}</code></pre>",
            "<h2>Environment</h2>",
            f"<dl>{''.join(facts)}</dl>",
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


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


def _link(source: str) -> str:
    if not source.startswith(("https://", "http://")):
        return escape(source)
    shown = source.split("://", 1)[1]
    return f'<a href="{escape(source)}">{escape(shown)}</a>'


def _scroll(kind: str, label: str, content: str) -> str:
    """Returns a box that scrolls alone; the arrow keys do it when it has the focus."""
    return (
        f'<div class="scroll {kind}" role="region" aria-label="{escape(label)}"'
        f' tabindex="0">{content}</div>'
    )


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
    return _scroll(
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
    data = base64.b64encode(drawing.svg(figure)).decode()
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    image = (
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(_alt(figure))}"'
        f' width="{width}" height="{height}">'
    )
    card = _scroll("card", f"Figure {name}", image)
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
