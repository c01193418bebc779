"""What a person sees of a running job: a bar on a terminal, plain lines elsewhere."""

import datetime
import sys
import time
from collections.abc import Mapping
from typing import Protocol, Self, SupportsFloat, TextIO

from tqdm import tqdm


class Progress:
    """Shows step, figures, tokens a second and time left; a context manager.

    Rates are those since the figures shown before. The first ones are taken from
    the first update on, so that they leave compilation out.
    """

    def __init__(
        self,
        total: int,
        start: int,
        stream: TextIO = sys.stderr,
        interval: float = 10.0,
        unit: str = "tokens",
    ):
        """Prepares the display; the bar or the first line comes with an update.

        Args:
          total: The last step of the run.
          start: The step that was restored, 0 in a fresh run.
          stream: A terminal gets a bar, anything else gets lines.
          interval: Seconds between two lines.
          unit: What is counted beside steps, for the rate.
        """
        terminal = stream.isatty()
        self._sink: _Sink = _Bar(stream, total, start) if terminal else _Lines(stream)
        self._interval = 0.2 if terminal else interval
        self._total = total
        self._shown: tuple[float, int] | None = None  # time and step
        self._tokens = 0.0
        self._unit = unit

    def update(
        self, step: int, tokens: float, figures: Mapping[str, SupportsFloat]
    ) -> None:
        """Counts a step; most calls show nothing and do not read `figures`.

        Args:
          step: The step that was done.
          tokens: The tokens trained on since the previous update.
          figures: Such as loss and perplexity. A device array is waited for only
            when it is shown.
        """
        now = time.monotonic()
        if self._shown is None:
            self._shown = (now, step)
            return
        self._tokens += tokens
        then, first = self._shown
        if now - then < self._interval and step < self._total:
            return
        seconds = max(now - then, 1e-9)
        left = seconds / max(step - first, 1) * (self._total - step)
        parts = [f"{name} {float(value):.4g}" for name, value in figures.items()]
        parts.append(f"{self._tokens / seconds:,.0f} {self._unit}/s")
        parts.append(f"{datetime.timedelta(seconds=round(left))} left")
        self._sink.show(step, self._total, "  ".join(parts))
        self._shown, self._tokens = (now, step), 0.0

    def message(self, text: str) -> None:
        """Prints `text` on a line of its own, above the bar."""
        self._sink.message(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._sink.close()


class _Sink(Protocol):
    def show(self, step: int, total: int, text: str) -> None: ...
    def message(self, text: str) -> None: ...
    def close(self) -> None: ...


class _Bar:
    def __init__(self, stream: TextIO, total: int, start: int):
        layout = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
        self._stream = stream
        self._bar = tqdm(
            total=total,
            initial=start,
            file=stream,
            bar_format=layout,
            dynamic_ncols=True,
        )

    def show(self, step: int, total: int, text: str) -> None:
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.n = step
        self._bar.refresh()

    def message(self, text: str) -> None:
        tqdm.write(text, file=self._stream)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, stream: TextIO):
        self._stream = stream

    def show(self, step: int, total: int, text: str) -> None:
        self.message(f"step {step}/{total}  {text}")

    def message(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        pass
