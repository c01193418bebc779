"""A folder that is sealed when it is complete, and verified before it is read.

`SHA256SUMS` holds a digest of every other file; `sha256sum --check` reads it. It tells
damage, not malice: who can write the folder can seal it anew. So what it holds is
parsed as plain data, into places whose sizes are known from elsewhere.
"""

import os
import re
import stat
from pathlib import Path

from rnnlab import files

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_LONGEST = 1 << 24  # bytes of a list of digests: a few hundred thousand files


class Damaged(Exception):
    """What a folder holds is not what was sealed in it."""


def seal(folder: Path) -> None:
    """Writes the digests; all of the folder is durable on return.

    Raises:
        OSError: a file cannot be read or synced.
        StorageError: the digests cannot be written.
    """
    names = sorted(_names(folder))
    sums = "".join(f"{files.sha256(folder / name)}  {name}\n" for name in names)
    files.write_atomic(folder / SUMS, sums)
    for path in folder.rglob("*"):
        files.sync(path)


def verify(folder: Path) -> None:
    """Compares every file with its digest.

    Raises:
        Damaged: a file differs, is missing, was added, or cannot be read.
    """
    try:
        present = _names(folder)  # before any is read
        lines = files.read(folder / SUMS, _LONGEST).decode().splitlines()
        found = [_LINE.fullmatch(line) for line in lines]
        sealed = {match[2]: match[1] for match in found if match}
        odd = sealed.keys() ^ present or {
            name
            for name, digest in sealed.items()
            if digest != files.sha256(folder / name)
        }
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(str(error)) from error
    if odd:
        raise Damaged(f"{min(odd)!r} is not the file that was saved")
    if len(sealed) < len(lines):
        raise Damaged(f"{SUMS} has lines that are no digests")


def _names(folder: Path) -> set[str]:
    """Returns the paths in `folder` of its files, but of the list of digests.

    Raises:
        Damaged: there is something else than files and folders.
    """
    names = set()
    for path in folder.rglob("*"):
        name, mode = path.relative_to(folder).as_posix(), os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            names.add(name)
        elif not stat.S_ISDIR(mode):  # a link leads elsewhere, a pipe never ends
            raise Damaged(f"{name!r} is neither a file nor a folder")
    return names - {SUMS}
