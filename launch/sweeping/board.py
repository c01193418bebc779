"""What a person sees of a sweep: a table on a terminal, a line an end elsewhere."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from launch.sweeping.jobs import Ended, Job, tail
from rnnlab.errors import shown
from rnnlab.training.writers import METRICS

INTERVAL = 1.0  # seconds between two tables


class Board:
    """Counts the points of a sweep, and shows those under way; a context manager."""

    def __init__(self, total: int, before: int):
        """Prepares the display.

        Args:
            total: points of the sweep.
            before: of them, those that were finished before this start.
        """
        self.counts = Counter(finished=before)
        self._total = total
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._shown = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._live.stop()

    def told(self, job: Job, end: Ended) -> None:
        """Notes an end."""
        self.counts[end.state] += 1
        ended = sum(self.counts.values())
        why = f": {end.message}" if end.message else ""
        line = f"{ended}/{self._total} {end.state} {job.name}{why}"
        self._console.print(escape(shown(line)), soft_wrap=True)

    def watch(self, running: Sequence[Job], waiting: int) -> None:
        """Shows those under way, every second at most, on a terminal."""
        now = time.monotonic()
        if not self._live.is_started or now - self._shown < INTERVAL:
            return
        self._shown = now
        counts = ", ".join(f"{n} {state}" for state, n in self.counts.items() if n)
        said = [counts, f"{len(running)} running, {waiting} waiting"]
        table = Table(
            "point", title=f"{'; '.join(filter(None, said))}", title_justify="left"
        )
        for name in FIGURES:
            table.add_column(name.replace("_", " "), justify="right")
        for job in running:
            figures = latest(job.folder)
            cells = [f"{figures[n]:.4g}" if n in figures else "" for n in FIGURES]
            table.add_row(escape(shown(job.name)), *cells)
        self._live.update(table, refresh=True)


FIGURES = ("step", "loss", "valid_loss")


def latest(folder: Path) -> dict[str, float]:
    """Returns the newest figures of a run that is under way, by name."""
    found: dict[str, Any] = {}
    for line in tail(folder / METRICS):
        with contextlib.suppress(ValueError, RecursionError):  # a line that is cut
            row = json.loads(line)
            if isinstance(row, dict):
                found |= row
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, (int, float)) and name in FIGURES
    }
