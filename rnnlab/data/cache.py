"""A folder made once, then found: written atomically, verified at each start.

A folder is known by its key, and stands only when complete: it is written beside its
place, synced, and renamed. Its manifest holds the hash of every file, so a damaged or
truncated one is made again. One lock for all of the cache keeps two processes from
doing the same work, and tells that what a killed one left behind may be removed.
"""

import fcntl
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from rnnlab import files
from rnnlab.errors import InputError, StorageError

_MANIFEST = "manifest.json"


def default_root() -> Path:
    """`$XDG_CACHE_HOME/rnnlab`, or `~/.cache/rnnlab`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "rnnlab"


def folder(root: Path, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of a key, made by `build` where it is absent or damaged.

    Args:
        root: The cache.
        key: A file name that stands for the content.
        build: Writes files into the empty folder that it is given.

    Raises:
        StorageError: The cache cannot be written.
    """
    final = root / key
    if _intact(final):  # before any write: a cache may be shared and read-only
        return final
    try:
        root.mkdir(parents=True, exist_ok=True)
        with open(root / "lock", "ab", opener=files.unlinked) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
            if not _intact(final):
                _make(final, build)
    except OSError as error:
        raise StorageError(
            f"A cache that can be written was wanted, and {root} gave "
            f"{error.strerror!r}; make room there, or name another --cache_dir."
        ) from error
    return final


def _make(final: Path, build: Callable[[Path], None]) -> None:
    scratch = final.with_suffix(".tmp")
    for stale in [scratch, *final.parent.glob("[0-9a-f]" * 64 + ".tmp")]:
        shutil.rmtree(stale, ignore_errors=True)  # of processes that were killed
    scratch.mkdir()
    try:
        build(scratch)
        (scratch / _MANIFEST).write_text(
            json.dumps([_sizes(scratch), _digests(scratch)])
        )
        for path in (*scratch.iterdir(), scratch):
            files.sync(path)
        shutil.rmtree(final, ignore_errors=True)  # there only where it is damaged
        os.rename(scratch, final)
        files.sync(final.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _intact(final: Path) -> bool:
    try:
        # Sizes first: a file may have no end that could be reached.
        match files.read_json(final / _MANIFEST):
            case [sizes, digests] if sizes and sizes == _sizes(final):
                return digests == _digests(final)
    except (OSError, InputError):
        pass
    return False


def _sizes(folder: Path) -> dict[str, int]:
    """The bytes of each file but the manifest, by name; OSError for what is no file."""
    sizes = {}
    for path in folder.iterdir():
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no file")
        sizes[path.name] = status.st_size
    sizes.pop(_MANIFEST, None)
    return sizes


def _digests(folder: Path) -> dict[str, str]:
    return {name: files.sha256(folder / name) for name in _sizes(folder)}
