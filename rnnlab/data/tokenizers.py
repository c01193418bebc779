"""Characters, words, bytes and subwords as ids, and back.

A vocabulary is made from the train split alone. What it lacks maps to an unknown
symbol, which is its last id unless train itself holds one; a vocabulary has that
symbol only where something needs it: a cap on words dropped some, or the other splits
hold a piece that train lacks. Bytes and subwords need none.
"""

import collections
import dataclasses
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from rnnlab.data.subwords import Subword, are_merges
from rnnlab.data.tokenizer import SURROGATES, Tokenizer, whole_characters
from rnnlab.errors import InputError

EOS, UNKNOWN = "<eos>", "<unk>"


@dataclasses.dataclass(frozen=True)
class Char(Tokenizer):
    """Unicode code points, sorted; line ends are characters like others."""

    kind: ClassVar[str] = "char"
    characters: str
    has_unknown: bool = False

    @classmethod
    def fit(cls, blocks: Iterable[str], vocab_size: int | None = None) -> Self:
        """Sorts the code points of the text."""
        _takes_no_cap(cls.kind, vocab_size)
        seen = np.zeros(0x110000, bool)
        for block in blocks:
            seen[_code_points(block)] = True
        return cls("".join(map(chr, np.flatnonzero(seen))))

    @property
    def size(self) -> int:
        """The number of characters, and the unknown one."""
        return len(self.characters) + self.has_unknown

    @property
    def pieces(self) -> Sequence[str]:
        """The characters, and a word for the unknown one."""
        return [*self.characters, *[UNKNOWN] * self.has_unknown]

    def encode(self, text: str) -> np.ndarray:
        """Looks each code point up, [N]."""
        ids = self._ids[_code_points(text)]
        if not self.has_unknown and ids.size and ids.max() == self.size:
            raise self._lacks(text)
        return ids

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yields the characters, U+FFFD for the unknown one."""
        symbols = self.characters + "\ufffd" * self.has_unknown
        return (symbols[i] for i in ids)

    def unknown(self, text: str) -> list[str]:
        """Returns the characters that train lacked."""
        points = _code_points(text)
        lacking = points[self._ids[points] == len(self.characters)]
        return [chr(point) for point in dict.fromkeys(lacking.tolist())]

    def with_unknown(self, most: int | None = None) -> Self:
        """Returns these characters and an unknown one."""
        return dataclasses.replace(self, has_unknown=True)

    def to_json(self) -> dict[str, Any]:
        """Returns the characters."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @functools.cached_property
    def _ids(self) -> np.ndarray:  # [code points]: a look-up table, 4 MB
        table = np.full(0x110000, len(self.characters), np.int32)
        table[_code_points(self.characters)] = np.arange(len(self.characters))
        return table


@dataclasses.dataclass(frozen=True)
class Word(Tokenizer):
    r"""Words between white space, most frequent first, and `<eos>` for each "\n".

    Blank lines count, as in Mikolov's and Merity's figures. Ties in frequency are
    broken by the word, so the order never depends on the hash seed. A "\r" before the
    "\n" is white space, and so drops out.

    References:
        Mikolov et al., RNNLM, 2010; Merity et al., Pointer sentinel mixture models,
        2016, https://arxiv.org/abs/1609.07843
    """

    kind: ClassVar[str] = "word"
    words: tuple[str, ...]

    @classmethod
    def fit(cls, blocks: Iterable[str], vocab_size: int | None = None) -> Self:
        """Counts the words of text cut by `whole_words`."""
        if vocab_size is not None and vocab_size < 2:
            raise InputError(
                "A vocabulary of at least 2 words, <unk> being one, was wanted, and "
                f"vocab_size is {vocab_size}; raise --vocab_size, or leave it out."
            )
        counts = collections.Counter()
        for block in blocks:
            counts.update(split_words(block))

        def rank(word: str) -> tuple[int, str]:
            return -counts[word], word

        kept = sorted(counts, key=rank)
        if vocab_size is not None and len(kept) > vocab_size:
            known = [word for word in kept if word != UNKNOWN][: vocab_size - 1]
            counts[UNKNOWN] = counts.total() - sum(counts[word] for word in known)
            kept = sorted([UNKNOWN, *known], key=rank)
        return cls(tuple(kept))

    @property
    def size(self) -> int:
        """The number of words."""
        return len(self.words)

    @property
    def pieces(self) -> Sequence[str]:
        """The words."""
        return self.words

    def encode(self, text: str) -> np.ndarray:
        """Looks each word up, [N]."""
        words = split_words(text)
        fallback = itertools.repeat(self._ids.get(UNKNOWN, -1))
        ids = np.fromiter(map(self._ids.get, words, fallback), np.int32, len(words))
        if UNKNOWN not in self._ids and ids.size and ids.min() < 0:
            raise self._lacks(text)
        return ids

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yields words with a space between, and line ends."""
        space = ""
        for i in ids:
            word = self.words[i]
            yield "\n" if word == EOS else space + word
            space = "" if word == EOS else " "

    def unknown(self, text: str) -> list[str]:
        """Returns the words that train lacked."""
        return list(dict.fromkeys(w for w in split_words(text) if w not in self._ids))

    def with_unknown(self, most: int | None = None) -> Self:
        """Returns these words and `<unk>`, or all but the rarest of so many."""
        if UNKNOWN in self._ids:
            return self
        kept = self.words if most is None else self.words[: most - 1]
        return type(self)((*kept, UNKNOWN))

    def to_json(self) -> dict[str, Any]:
        """Returns the words in order."""
        return {"kind": self.kind, "words": list(self.words)}

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}


@dataclasses.dataclass(frozen=True)
class Byte(Tokenizer):
    """The 256 bytes; text is UTF-8, and broken UTF-8 prints as U+FFFD."""

    kind: ClassVar[str] = "byte"

    @classmethod
    def fit(cls, blocks: Iterable[bytes], vocab_size: int | None = None) -> Self:
        """Reads nothing: the vocabulary is fixed."""
        _takes_no_cap(cls.kind, vocab_size)
        return cls()

    @property
    def size(self) -> int:
        """The number of bytes there are."""
        return 256

    @property
    def pieces(self) -> Sequence[bytes]:
        """The bytes, each alone."""
        return [bytes((byte,)) for byte in range(self.size)]

    def encode(self, text: str | bytes) -> np.ndarray:
        """Returns the bytes, [N]."""
        data = (
            text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        )
        return np.frombuffer(data, np.uint8).astype(np.int32)

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yields characters as soon as their bytes are whole."""
        return whole_characters(bytes((i,)) for i in ids)

    def unknown(self, text: str | bytes) -> list[str]:
        """Returns nothing: there is no unknown byte."""
        return []

    def with_unknown(self, most: int | None = None) -> Self:
        """Returns itself."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Returns the kind."""
        return {"kind": self.kind}


TOKENIZERS: dict[str, type[Tokenizer]] = {
    kind.kind: kind for kind in (Char, Word, Byte, Subword)
}


def from_json(data: Any) -> Tokenizer:
    """The tokenizer that `to_json` wrote; an `InputError` where none did."""
    match data:
        case {
            "kind": "char",
            "characters": str(text),
            "has_unknown": bool(unknown),
        } if _is_text(text):
            return Char(text, unknown)
        case {"kind": "word", "words": [_, *_] as words} if all(map(_is_text, words)):
            return Word(tuple(words))
        case {"kind": "byte"}:
            return Byte()
        case {"kind": "subword", "merges": [*_] as merges} if are_merges(merges):
            return Subword(tuple((left, right) for left, right in merges))
    raise InputError(
        f"A tokenizer of kind {', '.join(TOKENIZERS)} was wanted, and {data!r:.60} "
        "came; take the file that the run itself wrote."
    )


def _is_text(value: Any) -> bool:
    """Returns whether it is a string, not empty, that UTF-8 can hold."""
    return isinstance(value, str) and bool(value) and not re.search(SURROGATES, value)


def whole_words(chunks: Iterable[str]) -> Iterator[str]:
    """Text cut anywhere -> the same text cut between words, its last line ended."""
    rest = ""
    for chunk in chunks:
        rest += chunk
        cut = max(rest.rfind(" "), rest.rfind("\n"))
        if cut > 0:
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest if rest.endswith("\n") else rest + "\n"


def split_words(text: str) -> list[str]:
    """The words between white space, and `<eos>` for each line end."""
    return text.replace("\n", f" {EOS} ").split()


def _code_points(text: str) -> np.ndarray:
    # A prompt from the command line may hold lone surrogates: unknown, not an error.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _takes_no_cap(kind: str, vocab_size: int | None) -> None:
    if vocab_size is not None:
        raise InputError(
            f"A vocab_size is for words and subwords, and --tokens={kind} came with "
            f"{vocab_size}; leave --vocab_size out, or take --tokens=word or subword."
        )
