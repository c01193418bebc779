"""One line, and the exit code that fits, where JAX's C++ ends the process.

JAX's client for a job of several processes does not raise: where the coordinator cannot
be reached, or another process has ended, it logs a stack of C++ calls and aborts.
"""

import atexit
import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator

from launch.flags import line
from rnnlab.errors import PeerLost, RunError

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int)


class Abort:
    """What an abort of this process says, and with which code it ends.

    Attributes:
        error: of which the message and the code are taken.
    """

    def __init__(self, error: RunError):
        """Takes over SIGABRT for good."""
        self.error = error
        self._told = False
        self._stderr = os.dup(2)  # in case the log is not to be seen
        self._handler = _Handler(self._end)  # C holds it too: it must stay
        # Not signal.signal, whose handlers wait for the main thread: it would not
        # come back from `abort`.
        ctypes.CDLL(None).signal(int(signal.SIGABRT), self._handler)

    def fails(self, error: RunError) -> None:
        """Takes note of the error that this process ends with.

        When its line is printed and Python ends, JAX would still wait for the other
        processes, which may wait for this one, until it aborts.
        """
        self.error = error
        atexit.register(self._leave)  # before what JAX has registered

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Shows nothing of what is logged meanwhile, but for the line itself."""
        _to_nowhere()
        try:
            yield
        finally:
            os.dup2(self._stderr, 2)

    def _leave(self) -> None:
        if isinstance(self.error, PeerLost):  # there is nobody to wait for
            os._exit(self.error.exit_code)
        self._told = True
        _to_nowhere()

    def _end(self, number: int) -> None:
        if not self._told:
            os.write(self._stderr, f"\n{line(str(self.error))}\n".encode())
        os._exit(self.error.exit_code)


def _to_nowhere() -> None:
    """Drops what is written to standard error from here on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
