"""What a suite of `launch.bench` hands back."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Outcome(NamedTuple):
    """Measurements, for a reader and for the library.

    Attributes:
        table: what stands in BENCHMARKS.md, in Markdown.
        files: what `--write` replaces beside it, by path.
    """

    table: str
    files: Mapping[Path, str] = {}
