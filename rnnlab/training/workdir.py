"""The folder of one run: checked before it is used, locked while it is written."""

import contextlib
import datetime
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from rnnlab.errors import InputError, WorkdirLocked
from rnnlab.files import storage_error, unlinked

LOOKS = 10  # until a lock is another run's


def resolve(path: str | os.PathLike[str]) -> Path:
    """Returns `path` as an absolute path, with `~` replaced by the home folder.

    Raises:
      InputError: The path is empty or cannot name a folder.
    """
    if not os.fspath(path).strip():
        raise InputError(
            "A folder is wanted, got an empty path; pass --workdir=FOLDER."
        )
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"A folder is wanted, got {os.fspath(path)!r} ({error}); pass another path."
        ) from error


def probe(path: Path) -> None:
    """Creates the folder `path` and proves that a file in it can be made durable.

    Raises:
      InputError: The folder is read-only, a file, or on a full disk.
    """
    file = path / f".probe-{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        try:
            with open(file, "wb", opener=unlinked) as stream:
                stream.write(bytes(4096))  # a whole block: a full disk takes no more
                stream.flush()
                os.fsync(stream.fileno())
        finally:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"A folder that can be written is wanted, got {path} "
            f"({error.strerror or error}); pass another --workdir."
        ) from error


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Holds the folder `path` for this process; the system frees it at any death.

    The folder's `.lock` names the owner: `{"host", "pid", "start"}`. It stays when
    the lock is released, since removing it would race with the next owner.

    Raises:
      WorkdirLocked: Another process holds the folder.
      StorageError: The lock file cannot be written.
    """
    file = path / ".lock"
    try:
        descriptor = unlinked(file, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise storage_error(file, error) from error
    held = {descriptor}
    # `exec` closes the descriptor, a plain fork does not: a data worker that
    # outlives a killed trainer would keep the folder locked.
    os.register_at_fork(after_in_child=lambda: _close(held))
    try:
        if not _taken(descriptor):
            raise WorkdirLocked(
                f"{path} is wanted for this run, but {_owner(file)} writes to it; "
                "stop that run or pass another --workdir."
            )
        owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "start": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        except OSError as error:
            raise storage_error(file, error) from error
        yield
    finally:
        _close(held)


def _taken(descriptor: int) -> bool:
    """Takes the lock; one who looks whether it is held has it for a moment."""
    for _ in range(LOOKS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.02)
    return False


def _owner(file: Path) -> str:
    try:
        owner = json.loads(file.read_bytes())
        return f"pid {owner['pid']} on {owner['host']} since {owner['start']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # it has not written its name yet


def _close(held: set[int]) -> None:
    while held:
        os.close(held.pop())
