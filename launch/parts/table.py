"""A table whose rows the page's script sorts, by what stands behind each cell."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from experiments import pages
from launch.parts.text import plain


class Cell(NamedTuple):
    """A cell.

    Attributes:
        shown: its HTML.
        key: what it is sorted by; None and NaN, which are last either way, where there
            is nothing.
        best: whether it is the best of its column.
    """

    shown: str
    key: float | str | None
    best: bool = False


class Column(NamedTuple):
    """A column.

    Attributes:
        name: at its head.
        number: whether its cells are numbers, which stand to the right.
        order: how the rows are sorted by it as they come: ascending, descending, none.
    """

    name: str
    number: bool = False
    order: str = "none"


def words(text: str) -> Cell:
    """Returns a cell of text."""
    return Cell(plain(text), text)


def table(label: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> str:
    """Returns a table in a box of its own; the first cell of a row is its head.

    Raises:
        ValueError: a row has not one cell for each column.
    """
    head = "".join(
        f'<th scope="col" aria-sort="{column.order}"{_kind(column)}>'
        f"{plain(column.name)}</th>"
        for column in columns
    )
    body = "\n".join(_row(row, columns) for row in rows)
    return pages.scroll(
        "table",
        label,
        f'<table class="sortable">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>",
    )


def _row(row: Sequence[Cell], columns: Sequence[Column]) -> str:
    tags = ['th scope="row"', *["td"] * (len(columns) - 1)]
    cells = zip(row, columns, tags, strict=True)
    return f"<tr>{''.join(_cell(*cell) for cell in cells)}</tr>"


def _cell(cell: Cell, column: Column, tag: str) -> str:
    missing = cell.key is None or (isinstance(cell.key, float) and math.isnan(cell.key))
    key = "" if missing else f' data-key="{plain(cell.key)}"'
    shown = f"<strong>{cell.shown}</strong>" if cell.best else cell.shown
    return f"<{tag}{key}{_kind(column)}>{shown}</{tag[:2]}>"


def _kind(column: Column) -> str:
    return ' class="number"' if column.number else ""
