"""Subwords: byte pair encoding, trained on the train split, without a network.

Text is cut into words, numbers, marks and white space as GPT-2 cuts it; inside of
these the pair of tokens seen most often becomes a token, over and over. The first 256
tokens are the bytes, so that any text has its ids and comes back whole.

What is kept is the merges. The library `tokenizers` (extra `subwords`) finds them and
encodes; it is not needed to decode.

References:
    Sennrich et al., Neural machine translation of rare words with subword units, 2016,
    https://arxiv.org/abs/1508.07909; Radford et al., Language models are unsupervised
    multitask learners, 2019
"""

import dataclasses
import functools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np

from rnnlab.data.tokenizer import SURROGATES, Tokenizer, whole_characters
from rnnlab.errors import InputError

LONGEST = 64  # bytes of a token
BYTES = 256
_LAST = re.compile(r"(?s:.*)\S(?=[ \n])")  # up to where no token goes on
MOST = 1_000_000  # tokens; the library makes room for all that are asked for

# The library writes a byte as a character that can be seen: those of Latin-1 stand for
# themselves, and the others, in order, are the characters from U+0100 on.
_SEEN = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_HIDDEN = [byte for byte in range(BYTES) if byte not in _SEEN]
_CODES = {byte: byte for byte in _SEEN} | {b: BYTES + i for i, b in enumerate(_HIDDEN)}
_SYMBOLS = [chr(_CODES[byte]) for byte in range(BYTES)]


@dataclasses.dataclass(frozen=True)
class Subword(Tokenizer):
    """Bytes, and what pairs of earlier tokens were merged to.

    Attributes:
        merges: Pairs of ids, the first found first. A pair makes the next id, but none
            where an earlier pair has made the same bytes.
    """

    kind: ClassVar[str] = "subword"
    merges: tuple[tuple[int, int], ...]

    @classmethod
    def fit(cls, blocks: Iterable[str], vocab_size: int | None = None) -> Self:
        """Learns at most so many tokens from text cut by `whole_pieces`.

        A text always gives the same: pairs seen as often are taken in the order of
        their symbols, whatever the hash seed and the number of threads.
        """
        if vocab_size is None or not BYTES < vocab_size <= MOST:
            came = "is missing" if vocab_size is None else f"is {vocab_size}"
            raise InputError(
                f"--tokens=subword needs a vocabulary of more than the {BYTES} bytes "
                f"and at most {MOST} tokens, and vocab_size {came}; say how many to "
                "learn, as in --vocab_size=8000."
            )
        library = _library()
        trained = _pipeline(library, library.models.BPE())
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            initial_alphabet=_SYMBOLS,
            max_token_length=LONGEST,
            show_progress=False,
        )
        trained.train_from_iterator(blocks, trainer)
        ids = {symbol: byte for byte, symbol in enumerate(_SYMBOLS)}
        merges = []
        for left, right in json.loads(trained.to_str())["model"]["merges"]:
            merges.append((ids[left], ids[right]))
            ids.setdefault(left + right, len(ids))
        return cls(tuple(merges))

    @property
    def size(self) -> int:
        """The number of bytes there are, and of what they were merged to."""
        return len(self._tokens)

    @property
    def pieces(self) -> Sequence[bytes]:
        """The bytes of each token."""
        return self._tokens

    def encode(self, text: str) -> np.ndarray:
        """Merges the bytes of each piece, [N]; a lone surrogate is read as U+FFFD."""
        encoding = self._encoder.encode_batch_fast([re.sub(SURROGATES, "\ufffd", text)])
        return np.array(encoding[0].ids, np.int32)

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yields characters as soon as their bytes are whole."""
        return whole_characters(self._tokens[i] for i in ids)

    def unknown(self, text: str) -> list[str]:
        """Returns nothing: all bytes are tokens."""
        return []

    def with_unknown(self, most: int | None = None) -> Self:
        """Returns itself."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Returns the merges."""
        return {"kind": self.kind, "merges": [list(pair) for pair in self.merges]}

    @functools.cached_property
    def _tokens(self) -> list[bytes]:  # by id
        return _merged(self.merges)

    @functools.cached_property
    def _encoder(self) -> Any:
        library = _library()
        names = ["".join(_SYMBOLS[byte] for byte in token) for token in self._tokens]
        model = library.models.BPE(
            vocab={name: i for i, name in enumerate(names)},
            merges=[(names[left], names[right]) for left, right in self.merges],
        )
        return _pipeline(library, model)


def are_merges(value: Sequence[Any]) -> bool:
    """Returns whether a list from anyone is merges: each of two tokens that are there.

    No token is longer than `LONGEST`: otherwise sixty merges could ask for 2**60 bytes.
    """
    try:
        return all(type(i) is int for pair in value for i in pair) and bool(
            _merged(value)
        )
    except (TypeError, ValueError):  # no pair, or no pair of known tokens
        return False


def whole_pieces(chunks: Iterable[str]) -> Iterator[str]:
    """Text cut anywhere -> the same text, cut where no token can go on.

    That is before a space or a line end that follows neither.
    """
    parts, before = [], ""  # what is not cut yet, and its last character
    for chunk in chunks:
        if last := _LAST.match(before + chunk):
            cut = last.end() - len(before)
            yield "".join([*parts, chunk[:cut]])
            parts, chunk = [], chunk[cut:]
        parts.append(chunk)
        before = chunk[-1:] or before
    if rest := "".join(parts):
        yield rest


def _merged(pairs: Iterable[tuple[int, int]]) -> list[bytes]:
    """Returns the tokens by id; ValueError for a pair of what is no token yet."""
    tokens = [bytes((byte,)) for byte in range(BYTES)]
    known = set(tokens)
    for left, right in pairs:
        if not (0 <= left < len(tokens) and 0 <= right < len(tokens)):
            raise ValueError(f"{left}, {right} are not both of {len(tokens)} tokens")
        token = tokens[left] + tokens[right]
        if len(token) > LONGEST:
            raise ValueError(f"a token of {len(token)} bytes")
        if token not in known:
            known.add(token)
            tokens.append(token)
    return tokens


def _pipeline(library: ModuleType, model: Any) -> Any:
    """Returns the library's tokenizer: bytes as symbols, GPT-2's pieces, a model."""
    pipeline = library.Tokenizer(model)
    pipeline.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return pipeline


def _library() -> ModuleType:
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        raise InputError(
            "--tokens=subword needs tokenizers, which is not installed; pip install"
            " 'rnnlab[subwords]'."
        ) from error
    return tokenizers
