"""What a tokenizer is, and what its kinds share."""

import abc
import codecs
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from rnnlab.errors import InputError

SURROGATES = "[\ud800-\udfff]"  # code points that UTF-8 cannot hold


class Tokenizer(abc.ABC):
    """Text <-> ids. Equal tokenizers compare equal."""

    kind: ClassVar[str]

    @classmethod
    @abc.abstractmethod
    def fit(cls, blocks: Iterable[Any], vocab_size: int | None = None) -> Self:
        """A vocabulary from text in blocks that `encode` takes.

        Raises:
            InputError: `vocab_size` is too small, or this kind takes none.
        """

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """The number of ids."""

    @property
    @abc.abstractmethod
    def pieces(self) -> Sequence[str | bytes]:
        """What each id stands for, by id; no two are alike."""

    @abc.abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """Text -> int32 ids [N].

        Raises:
            InputError: The vocabulary lacks a piece and has no unknown symbol.
        """

    @abc.abstractmethod
    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Ids -> pieces of text to print as they come."""

    @abc.abstractmethod
    def unknown(self, text: str) -> list[str]:
        """The pieces that the vocabulary lacks, each once, as they come."""

    @abc.abstractmethod
    def with_unknown(self, most: int | None = None) -> Self:
        """The same vocabulary, with an unknown symbol at the end if it had none.

        Args:
            most: Words that there may be: the rarest makes room where they are as many.
        """

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, which `from_json` takes."""

    def decode(self, ids: Iterable[int]) -> str:
        """Ids -> text."""
        return "".join(self.stream(ids))

    def _lacks(self, text: str) -> InputError:
        return InputError(
            f"Text of the vocabulary was wanted, and {self.unknown(text)[:10]} are not "
            "in it; leave them out, or train on a --data that has them."
        )


def whole_characters(pieces: Iterable[bytes]) -> Iterator[str]:
    """Bytes -> characters as soon as theirs are whole; U+FFFD for broken UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for data in pieces:
        if piece := decoder.decode(data):
            yield piece
    if piece := decoder.decode(b"", final=True):
        yield piece
