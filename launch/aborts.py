"""One line, and the exit code that fits, where JAX's C++ ends the process.

JAX's client for a job of several processes does not raise: where the coordinator cannot
be reached, or another process has ended, it logs a stack of C++ calls and aborts.
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator

from launch.flags import line
from rnnlab.errors import RunError

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int)


class Abort:
    """What an abort of this process says, and with which code it ends.

    Attributes:
        error: of which the message and the code are taken.
        told: whether a person has read the message already.
    """

    def __init__(self, error: RunError):
        """Takes over SIGABRT for good."""
        self.error, self.told = error, False
        self._stderr = os.dup(2)  # in case the log is not to be seen
        self._handler = _Handler(self._end)  # C holds it too: it must stay
        # Not signal.signal, whose handlers wait for the main thread: it would not
        # come back from `abort`.
        ctypes.CDLL(None).signal(int(signal.SIGABRT), self._handler)

    def _end(self, number: int) -> None:
        if not self.told:
            os.write(self._stderr, f"\n{line(str(self.error))}\n".encode())
        os._exit(self.error.exit_code)

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Shows nothing of what is logged meanwhile, but for the line itself."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        try:
            yield
        finally:
            os.dup2(self._stderr, 2)
