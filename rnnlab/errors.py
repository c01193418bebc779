"""What can go wrong in a run, one class per exit code.

Each message is one sentence: what was wanted, what came, the way out. `launch`
prints it as `error: ...` without a traceback and exits with the class's code.
"""


def shown(text: str) -> str:
    """Returns text from anyone on one line, without what a terminal would obey."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


class RunError(Exception):
    """A failure that the person at the terminal can mend."""

    exit_code = 1


class InputError(RunError, ValueError):
    """A flag, file, corpus or configuration that cannot be used."""

    exit_code = 2


class WorkdirLocked(RunError):
    """Another process writes to the same workdir."""

    exit_code = 3


class NoUsableCheckpoint(RunError):
    """A workdir without a checkpoint that can be read."""

    exit_code = 4


class IncompatibleCheckpoint(RunError):
    """A checkpoint of another configuration, vocabulary or data set."""

    exit_code = 5


class Diverged(RunError):
    """More non-finite updates in a row than the run tolerates."""

    exit_code = 6


class StorageError(RunError):
    """A file that could not be written: a full disk, a lost mount."""

    exit_code = 7


class SweepIncomplete(RunError):
    """A sweep with points that failed."""

    exit_code = 8


class PeerLost(RunError):
    """Another process of the same job has ended, or does not answer."""

    exit_code = 9


class Preempted(RunError):
    """Stopped by a signal, after a checkpoint was saved."""

    exit_code = 143
