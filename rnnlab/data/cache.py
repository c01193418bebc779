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
from collections.abc import Callable
from pathlib import Path

from rnnlab import files
from rnnlab.errors import StorageError

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
        with (root / "lock").open("w") as lock:
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
        manifest = {path.name: files.sha256(path) for path in sorted(scratch.iterdir())}
        (scratch / _MANIFEST).write_text(json.dumps(manifest))
        for path in (*scratch.iterdir(), scratch):
            files.sync(path)
        shutil.rmtree(final, ignore_errors=True)  # there only where it is damaged
        os.rename(scratch, final)
        files.sync(final.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _intact(final: Path) -> bool:
    try:
        manifest = json.loads((final / _MANIFEST).read_bytes())
        return isinstance(manifest, dict) and all(
            files.sha256(final / name) == digest for name, digest in manifest.items()
        )
    except (OSError, ValueError):
        return False
