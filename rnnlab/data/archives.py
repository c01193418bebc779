"""The members of a .tar, .tar.gz, .tgz or .zip, read without unpacking to disk.

An archive may come from anyone. It is refused as a whole when a member has an
absolute name, a `..`, or is a link or a device: nothing is written, so none of them
could do harm here, but no honest corpus has one. So is one that unpacks to over 200
times its size, or that would be held in memory to be listed.
"""

import contextlib
import gzip
import itertools
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
_HEADER, _HEADERS = 1 << 13, 1 << 20  # bytes of a long name and the like, of all these
_MEMBERS = 1 << 16

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's word for an encrypted member or an unknown packing
    ValueError,  # tarfile's for numbers in headers
    LookupError,
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
    if size > _most(path):
        _refuse(path, f"it unpacks to {size:,} bytes, over {BOMB_RATIO} times its size")
    return [Member(f"{path}/{e.name}", e.read) for e in entries if e.regular]


def _most(path: Path) -> int:
    """The bytes that an honest archive may unpack to."""
    return max(BOMB_FLOOR, BOMB_RATIO * path.stat().st_size)


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


class _Listed:
    """A tar while its members are listed, each of which says where the next one is.

    The standard library would follow one that leads back for ever, and hold a header
    of any length in memory.
    """

    def __init__(self, file: BinaryIO, most: int):
        self.tell = file.tell
        self._file, self._most, self._left = file, most, _HEADERS

    def seek(self, place: int) -> None:
        if not self.tell() <= place <= self._most:
            raise tarfile.ReadError(f"it leads to byte {place}")
        self._file.seek(place)

    def read(self, size: int) -> bytes:
        self._left -= size if size > tarfile.BLOCKSIZE else 0
        if not 0 <= size <= min(_HEADER, self._left):
            raise tarfile.ReadError(f"it has a header of {size} bytes")
        return self._file.read(size)


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """Opens a tar, unpacked if it is packed by gzip; other packings are none here."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file


def _tar(path: Path) -> list[_Entry]:
    def reader(info: tarfile.TarInfo) -> Callable[[int], Iterator[bytes]]:
        def read(start: int) -> Iterator[bytes]:
            with _damage(path), _unpacked(path) as file:
                with tarfile.open(fileobj=file, mode="r:") as archive:
                    yield from blocks(cast(BinaryIO, archive.extractfile(info)), start)

        return read

    with _damage(path), _unpacked(path) as file:
        listed = cast(BinaryIO, _Listed(file, _most(path)))
        with tarfile.open(fileobj=listed, mode="r:") as archive:
            infos = list(itertools.islice(archive, _MEMBERS + 1))
        if len(infos) > _MEMBERS:
            raise tarfile.ReadError(f"it has over {_MEMBERS} members")
        rest = blocks(file, file.tell())
        # An archive ends with two blocks of zeros, of which tarfile reads one. It takes
        # half a header, or a spoilt one, for an end too.
        if not next(rest, b"").startswith(bytes(tarfile.BLOCKSIZE)):
            raise tarfile.ReadError("it ends too early, or is spoilt in the middle")
        # gzip's checksum stands at the end, where reading a tar would not look.
        for _ in rest:
            if file.tell() > _most(path):
                raise tarfile.ReadError("it goes on after its end")
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
        # Of other packings, zipfile unpacks 4 KB at once, to any number of bytes.
        known = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
        if {info.compress_type for info in archive.infolist()} - known:
            raise zipfile.BadZipFile("it is packed in another way than by deflate")
        return [
            _Entry(info.filename, info.file_size, info.is_dir(), regular(info), read)
            for info in archive.infolist()
            for read in [reader(info)]
        ]
