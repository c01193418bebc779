"""A page of a text whose tokens are shaded by what they cost, and the dearest ones."""

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from experiments import pages
from experiments.language_modeling import findings
from experiments.language_modeling.findings import Findings
from rnnlab.data.tokenizer import Tokenizer

BOUNDS = 0.25, 0.5, 1.0, 2.0, 4.0, 8.0  # nats between two shades


def page(
    title: str,
    figures: Mapping[str, Any],
    found: Findings,
    tokenizer: Tokenizer,
    most: int,
) -> str:
    """Returns the page as HTML.

    Args:
        title: of the page.
        figures: of the whole text by name; those that are numbers are shown.
        found: where its nats go.
        tokenizer: of the text.
        most: tokens of its beginning that are shown.
    """
    numbers = {k: f"{v:.4g}" for k, v in figures.items() if isinstance(v, float)}
    pieces = findings.pieces(found.told.targets[:most], tokenizer)
    types = [
        (g.name, f"{g.count:,}", f"{g.mean:.2f}", f"{g.share:.1%}")
        for g in found.dearest
    ]
    places = [(p.before, p.token, f"{p.nats:.2f}") for p in found.places]
    body = [
        pages.facts(numbers),
        f"<h2>The first {len(pieces):,} tokens</h2>",
        f'<p class="key">Nats a token: {_key()}</p>',
        f'<div class="text">{_shaded(pieces, found.told.nats[:most])}</div>',
        "<h2>Tokens that cost most in all</h2>",
        _table(("token", "times", "nats each", "of all nats"), types, numbers=3),
        "<h2>Tokens that cost most singly</h2>",
        _table(("after", "token", "nats"), places, numbers=1),
    ]
    style = pages.asset("experiments.language_modeling", "shaded.css")
    return pages.document(title, body, [style])


def shade(nats: float) -> int:
    """Returns the number of the shade, from 0 for the cheapest."""
    return int(np.searchsorted(BOUNDS, nats, side="right"))


def _shaded(pieces, nats):
    """Returns the text, each token in its shade; its title says what it cost."""
    return "".join(
        f'<span class="c{shade(cost)}" title="{cost:.2f} nats">{escape(piece)}</span>'
        for piece, cost in zip(pieces, nats, strict=True)
    )


def _key():
    """Returns each shade with the nats that it stands for."""
    ends = [f"{low:g}–{high:g}" for low, high in zip(BOUNDS, BOUNDS[1:], strict=False)]
    names = [f"below {BOUNDS[0]:g}", *ends, f"{BOUNDS[-1]:g} and more"]
    return " ".join(f'<span class="c{k}">{name}</span>' for k, name in enumerate(names))


def _table(heads, rows, numbers):
    """Returns a table whose last columns are numbers."""
    words = len(heads) - numbers

    def cells(tag, values):
        return "".join(
            f"<{tag}{_class(k >= words)}>{escape(value)}</{tag}>"
            for k, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    table = (
        f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody>"
        "</table>"
    )
    return pages.scroll("table", heads[0], table)


def _class(number):
    """Returns the attribute of a cell."""
    return ' class="number"' if number else ""
