"""Files that are replaced whole, and made durable.

A reader, or a restart after a kill, sees the old file or the new one and never a part
of either.
"""

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from rnnlab.errors import InputError, StorageError


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


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal.

    Raises:
      OSError: It cannot be read.
    """
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
