"""The folder of one run: checked before it is used, locked while it is written.

Files in it are replaced whole: a reader, or a restart after a kill, sees the old
file or the new one and never a part of either.
"""

import contextlib
import datetime
import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnnlab.errors import InputError, StorageError, WorkdirLocked


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
            with open(file, "wb") as stream:
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
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise storage_error(file, error) from error
    held = {descriptor}
    # `exec` closes the descriptor, a plain fork does not: a data worker that
    # outlives a killed trainer would keep the folder locked.
    os.register_at_fork(after_in_child=lambda: _close(held))
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkdirLocked(
                f"{path} is wanted for this run, but {_owner(file)} writes to it; "
                "stop that run or pass another --workdir."
            ) from error
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


def write_atomic(path: Path, content: str | bytes) -> None:
    """Replaces the file `path` by `content` (text as UTF-8), durable on return.

    Raises:
      StorageError: It cannot be written; the old file, if any, is left as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.tmp")
    try:
        with open(partial, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
        sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise storage_error(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Replaces the file `path` by `value` as indented JSON, as `write_atomic` does.

    Raises:
      StorageError: It cannot be written.
    """
    write_atomic(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Returns the value of the JSON file `path`.

    Raises:
      InputError: The file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} should hold JSON, but {error}; restore it or pass another path."
        ) from error


def sync(path: Path) -> None:
    """Makes a file's content durable, or the names in a folder.

    Raises:
      OSError: It cannot be synced.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(path: Path, cause: Exception) -> StorageError:
    """Returns the error of a file that could not be written: path, cause, space."""
    what = (isinstance(cause, OSError) and cause.strerror) or str(cause)
    try:
        free = f"{shutil.disk_usage(path.parent).free} bytes free there"
    except OSError:
        free = "its folder cannot be read"
    return StorageError(
        f"{path} could not be written ({' '.join(what.split())[:250]}; {free}); "
        "make room or pass another --workdir, then start again."
    )


def _owner(file: Path) -> str:
    try:
        owner = json.loads(file.read_bytes())
        return f"pid {owner['pid']} on {owner['host']} since {owner['start']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # it has not written its name yet


def _close(held: set[int]) -> None:
    while held:
        os.close(held.pop())
