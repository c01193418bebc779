"""What runs say, as text of a page: escaped, and numbers at a length that is read."""

import json
import math
from html import escape
from typing import Any

DASH = "–"  # where there is no number


def plain(text: Any) -> str:
    """Returns a text as HTML: no markup, and nothing that turns or hides letters."""
    kept = (c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(text))
    return escape("".join(kept))


def number(value: float | None, digits: int = 4) -> str:
    """Returns a number with so many digits that count, or a dash for none."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    if 10**digits <= abs(value) < 1e15:
        return f"{value:,.0f}"
    shown = f"{value:.{digits}g}"
    return shown if "e" in shown else f"{value:#.{digits}g}".rstrip(".")


def probability(p: float) -> str:
    """Returns a p-value, or a dash for none."""
    if not math.isfinite(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def duration(seconds: float | None) -> str:
    """Returns a time as a person says it, or a dash for none."""
    if seconds is None:
        return DASH
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} s"


def counted(count: int, what: str) -> str:
    """Returns `1 run`, `2 runs`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def data(value: Any) -> str:
    """Returns JSON that can stand in a <script>: no tag begins or ends in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
