"""A request to stop, kept until the training loop reaches a step boundary."""

import os
import signal
import threading
from types import FrameType
from typing import Self

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopSignals:
    """Notes SIGTERM, SIGINT or SIGUSR1 instead of dying from it.

    The first signal sets `received`, for the loop to act on between two steps; a
    second one ends the process at once with code 128 + its number. The former
    handlers return on exit.

    Python delivers signals to the main thread only, so in any other thread this is
    inert: `received` stays None. Enter it after `jax.distributed.initialize`, which
    installs a handler of its own.

    Attributes:
      received: The name of the first signal, such as "SIGTERM", or None.
    """

    def __init__(self):
        self.received: str | None = None
        self._former = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former = {s: signal.signal(s, self._receive) for s in STOPPING}
        return self

    def __exit__(self, *raised: object) -> None:
        while self._former:
            number, handler = self._former.popitem()
            # None stands for a handler that C code installed; Python cannot name it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            # No clean-up: whoever asks twice wants out of a step that hangs.
            os._exit(128 + number)
        self.received = signal.Signals(number).name
