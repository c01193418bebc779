"""The members of a .tar, .tar.gz, .tgz or .zip, read without unpacking to disk.

An archive may come from anyone. It is refused as a whole when a member has an
absolute name, a `..`, or is a link or a device: nothing is written, so none of them
could do harm here, but no honest corpus has one. So is one that unpacks to over 200
times its size.
"""

import contextlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from rnnlab.data.members import Member, blocks
from rnnlab.errors import InputError

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
BOMB_RATIO, BOMB_FLOOR = 200, 64 << 20  # text packs 3 to 10 times; small ones may more

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's word for an encrypted member or an unknown packing
)


class _Entry(NamedTuple):
    name: str
    size: int
    folder: bool
    regular: bool
    read: Callable[[int], Iterator[bytes]]


def members(path: Path) -> list[Member]:
    """The regular files of an archive, in the archive's order.

    Raises:
        InputError: The archive is damaged or hostile.
    """
    entries = _zip(path) if path.name.endswith(".zip") else _tar(path)
    for entry in entries:
        name = entry.name.replace("\\", "/")
        if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
            _refuse(path, f"its member {entry.name!r} points outside it")
        if not (entry.regular or entry.folder):
            _refuse(path, f"its member {entry.name!r} is a link or a device")
    size = sum(entry.size for entry in entries)
    if size > max(BOMB_FLOOR, BOMB_RATIO * path.stat().st_size):
        _refuse(path, f"it unpacks to {size:,} bytes, over {BOMB_RATIO} times its size")
    return [Member(f"{path}/{e.name}", e.read) for e in entries if e.regular]


def _refuse(path: Path, reason: str) -> None:
    raise InputError(
        f"A plain archive was wanted for --data, and {path} is refused because "
        f"{reason}; unpack it yourself and name the folder."
    )


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"A whole archive was wanted for --data, and {path} cannot be read "
            f"({reason}); fetch it again, or unpack it and name the folder."
        ) from error


def _tar(path: Path) -> list[_Entry]:
    def reader(info: tarfile.TarInfo) -> Callable[[int], Iterator[bytes]]:
        def read(start: int) -> Iterator[bytes]:
            with _damage(path), tarfile.open(path) as archive:
                yield from blocks(cast(BinaryIO, archive.extractfile(info)), start)

        return read

    with _damage(path), tarfile.open(path) as archive:
        infos = archive.getmembers()
        # gzip's checksum stands at the end, where reading a tar would not look.
        for _ in blocks(file := cast(BinaryIO, archive.fileobj), file.tell()):
            pass
        return [
            _Entry(info.name, info.size, info.isdir(), info.isfile(), reader(info))
            for info in infos
        ]


def _zip(path: Path) -> list[_Entry]:
    def reader(info: zipfile.ZipInfo) -> Callable[[int], Iterator[bytes]]:
        def read(start: int) -> Iterator[bytes]:
            with _damage(path), zipfile.ZipFile(path) as archive:
                with archive.open(info) as file:
                    yield from blocks(cast(BinaryIO, file), start)

        return read

    def regular(info: zipfile.ZipInfo) -> bool:
        kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where no Unix wrote it
        return not info.is_dir() and kind in (0, stat.S_IFREG)

    with _damage(path), zipfile.ZipFile(path) as archive:
        return [
            _Entry(info.filename, info.file_size, info.is_dir(), regular(info), read)
            for info in archive.infolist()
            for read in [reader(info)]
        ]
