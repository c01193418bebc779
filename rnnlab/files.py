"""Files that are replaced whole, and made durable.

A reader, or a restart after a kill, sees the old file or the new one and never a part
of either. A folder may come from anyone: what is read is a file that ends, and what is
written goes where it says, through no link.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

from rnnlab.errors import InputError, StorageError

LONGEST = 1 << 30  # bytes of a file that is read as a whole


def read(path: Path, longest: int = LONGEST) -> bytes:
    """Returns the content of a file; a pipe or a device, which may never end, has none.

    Raises:
      OSError: It cannot be read, is no file, or is longer than `longest`.
    """
    # A pipe is opened without waiting for a writer.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        if status.st_size > longest:
            raise OSError(errno.EFBIG, f"over {longest} bytes", str(path))
        return stream.read()


def unlinked(path: str | Path, flags: int) -> int:
    """Opens a file to write to, as `opener` of `open`: no link, and no pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Replaces the file `path` by `content` (text as UTF-8), durable on return.

    Raises:
      StorageError: It cannot be written; the old file, if any, is left as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.tmp")
    try:
        partial.unlink(missing_ok=True)
        with open(partial, "xb") as stream:
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


def read_json(path: Path, longest: int = LONGEST) -> Any:
    """Returns the value of the JSON file `path`.

    Raises:
      InputError: The file is missing, unreadable, too long or not JSON.
    """
    try:
        return json.loads(read(path, longest))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} should hold JSON, but {error}; restore it or pass another path."
        ) from error


def append_json(path: Path, value: Any) -> None:
    """Adds `value` to the file `path` as a line of JSON, durable on return.

    Raises:
      StorageError: It cannot be written; a part of the line may be there.
    """
    try:
        with open(path, "ab", opener=unlinked) as stream:
            stream.write((json.dumps(value, allow_nan=False) + "\n").encode())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise storage_error(path, error) from error


def cut_torn(path: Path) -> None:
    """Cuts off a last line that a kill, or a full disk, left without its end.

    Raises:
      InputError: Something else is there, or it cannot be read.
      StorageError: The file cannot be written.
    """
    if not os.path.lexists(path):
        return
    try:
        if path.is_symlink():
            raise OSError(errno.ELOOP, "it is a link")
        lines, end, torn = read(path).rpartition(b"\n")
    except OSError as error:
        raise InputError(
            f"{path} should be a file of this run, but {error.strerror or error};"
            f" mend or delete it."
        ) from error
    if torn:
        write_atomic(path, lines + end)


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


def remove(path: Path) -> None:
    """Deletes a folder with all that is in it, or a link; what cannot be, stays."""
    with contextlib.suppress(OSError, RecursionError):  # thousands of folders deep
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)


def storage_error(path: Path, cause: Exception, needed: int = 0) -> StorageError:
    """Returns the error of a file that could not be written: path, cause, space."""
    what = (isinstance(cause, OSError) and cause.strerror) or str(cause)
    try:
        free = f"{shutil.disk_usage(path.parent).free} bytes free there"
    except OSError:
        free = "its folder cannot be read"
    if needed:
        free += f", about {needed} needed"
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
