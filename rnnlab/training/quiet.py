"""Logs and displays of a run: of several processes the first has them, alone."""

from pathlib import Path
from typing import Any, Self

from rnnlab.training import team
from rnnlab.training.events import Events
from rnnlab.training.progress import Progress
from rnnlab.training.writers import MetricsWriter


class Quiet:
    """Takes what `Events`, `MetricsWriter` and `Progress` take, and does nothing."""

    def write(self, *given: Any, **fields: Any) -> None:
        """Writes nothing."""

    def tell(self, *given: Any, **fields: Any) -> None:
        """Tells nobody."""

    def warn(self, *given: Any, **fields: Any) -> None:
        """Warns nobody."""

    def update(self, *given: Any) -> None:
        """Shows nothing."""

    def message(self, text: str) -> None:
        """Prints nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        pass


def events(workdir: Path) -> Events | Quiet:
    """Returns this process' log of what happens to the run."""
    return Events(workdir) if team.leads() else Quiet()


def rows(
    workdir: Path, resumed: int | None, again: str | None
) -> MetricsWriter | Quiet:
    """Returns what this process writes figures to; see `MetricsWriter`."""
    if not team.leads():
        return Quiet()
    return MetricsWriter(workdir, resumed, tensorboard=True, again=again)


def progress(total: int, start: int) -> Progress | Quiet:
    """Returns what this process shows a person."""
    return Progress(total, start) if team.leads() else Quiet()
