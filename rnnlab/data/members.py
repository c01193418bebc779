"""A member: a named run of bytes that can be read again and again, in chunks.

A corpus is never held in memory. Whoever needs it (the hash, the vocabulary, the
encoding) reads it once more, so a member is a function that opens, not an open file.
"""

import codecs
import dataclasses
import hashlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from rnnlab.errors import InputError

CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Member:
    """Bytes `start` to `stop` of what `read` gives.

    Attributes:
        name: What to call it in an error message.
        read: An offset -> the bytes from there to the end, in chunks of any size.
        start: The first byte that belongs to the member.
        stop: One past its last byte, or beyond the end.
    """

    name: str
    read: Callable[[int], Iterator[bytes]]
    start: int = 0
    stop: int = sys.maxsize

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in chunks that are not empty."""
        left = self.stop - self.start
        for chunk in self.read(self.start) if left else ():
            if chunk := chunk[:left]:
                yield chunk
            left -= len(chunk)
            if not left:
                return

    def text(self) -> Iterator[str]:
        r"""The bytes decoded as strict UTF-8, a byte order mark at the start dropped.

        Line ends stay as they are: nothing turns \r\n into \n.

        Raises:
            InputError: A NUL byte, or a byte that is not UTF-8, with its offset.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        position, first = self.start, self.start == 0
        for chunk in itertools.chain(self.chunks(), [b""]):  # b"" ends the text
            if (nul := chunk.find(b"\0")) >= 0:
                raise InputError(
                    f"Text was wanted, and {self.name} is binary, with a NUL byte at "
                    f"offset {position + nul}; name a text with --data, or take "
                    "--tokens=byte."
                )
            pending = len(decoder.getstate()[0])
            try:
                piece = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"UTF-8 text was wanted, and {self.name} has another byte at "
                    f"offset {position - pending + error.start}; convert it to UTF-8, "
                    "or take --tokens=byte."
                ) from error
            position += len(chunk)
            if first and piece:
                piece, first = piece.removeprefix("\ufeff"), False
            if piece:
                yield piece

    def size(self) -> int:
        """The number of bytes."""
        return sum(map(len, self.chunks()))

    def sha256(self) -> str:
        """The hash of the bytes, in hex."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


def from_bytes(name: str, data: bytes) -> Member:
    """A member that lies in memory."""
    return Member(name, lambda start: iter([data[start:]]))


def from_file(path: Path) -> Member:
    """A member that is a file; an `InputError` where it cannot be read."""

    def read(start: int) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                yield from blocks(file, start)
        except OSError as error:
            raise InputError(
                f"A readable file was wanted for --data, and {path} gave "
                f"{error.strerror!r}; check its path and its permissions."
            ) from error

    return Member(str(path), read)


def blocks(file: BinaryIO, start: int) -> Iterator[bytes]:
    """An open file's bytes from `start` on, in chunks of 1 MiB."""
    file.seek(start)
    while chunk := file.read(CHUNK):
        yield chunk
