"""What stands in for logs and displays in a process that does not write."""

from typing import Any, Self


class Quiet:
    """Takes what `Events`, `MetricsWriter` and `Progress` take, and does nothing."""

    def write(self, *given: Any, **fields: Any) -> None:
        """Writes nothing."""

    def warn(self, *given: Any, **fields: Any) -> None:
        """Tells nobody."""

    def update(self, *given: Any) -> None:
        """Shows nothing."""

    def message(self, text: str) -> None:
        """Prints nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        pass
