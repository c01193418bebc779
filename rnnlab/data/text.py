"""The front door for text: one `--data` flag -> memory-mapped ids and a tokenizer.

The text is read in chunks and its ids are kept on disk, so memory stays constant and
a second start tokenises nothing. `sources` says what the flag may name, `tokenizers`
what an id is, `cache` how the ids are kept.
"""

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnlab import files
from rnnlab.data import cache, sources
from rnnlab.data.members import Member
from rnnlab.data.subwords import whole_pieces
from rnnlab.data.tokenizers import (
    TOKENIZERS,
    Tokenizer,
    from_json,
    split_words,
    whole_words,
)
from rnnlab.errors import InputError

_EXTENTS = "extents.json"
FORMAT = 2  # of the cached files; raise it when the same text would give other ids


class Extent(NamedTuple):
    """The size of a text, whatever its tokens are.

    Attributes:
        bytes: Of its UTF-8.
        words: Between white space, and line ends, as `--tokens=word` counts them.
    """

    bytes: int
    words: int


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A tokenised text.

    Attributes:
        splits: train, valid, test -> ids [N], a read-only memory map of the smallest
            unsigned type; a split that is empty is absent.
        tokenizer: What the ids mean.
        fingerprint: Hex sha256 of the content and of the way it was tokenised.
        sha256: Hex sha256 of each file of the source, by split, `whole` where the text
            was split by position.
        extents: Split -> the size of its text, where tokens are subwords: losses of
            two vocabularies can be compared by these alone. Empty for other tokens.
    """

    splits: dict[str, np.ndarray]
    tokenizer: Tokenizer
    fingerprint: str
    sha256: dict[str, str]
    extents: dict[str, Extent]


def load(
    source: str,
    tokens: str = "char",
    vocab_size: int | None = None,
    fractions: tuple[float, float, float] = (0.9, 0.05, 0.05),
    data_dir: str | None = None,
    cache_dir: str | None = None,
) -> Corpus:
    """Reads a text, or finds its ids in the cache.

    Args:
        source: The `--data` flag; `sources` lists what it may name.
        tokens: char, word, byte or subword.
        vocab_size: At most so many words, `<unk>` included, None for all; or at most so
            many subwords, which need it.
        fractions: Of train, valid and test, by bytes, where the source names no splits.
            A character is never cut; words and subwords are cut after a line, or
            failing that after a word.
        data_dir: Where tensorflow-datasets keeps its data; None for its default.
        cache_dir: Where ids are kept; None for `cache.default_root()`.

    Raises:
        InputError: A flag or text that cannot be used.
        StorageError: The cache cannot be written.
    """
    if tokens not in TOKENIZERS:
        raise InputError(
            f"One of {', '.join(TOKENIZERS)} was wanted, and {tokens!r} came; change "
            "--tokens."
        )
    _check_fractions(fractions)
    origin = sources.resolve(source, data_dir)
    sha256 = {split: member.sha256() for split, member in origin.content.items()}
    recipe = {
        "format": FORMAT,
        "sha256": sha256,
        "tokens": tokens,
        "vocab_size": vocab_size,
        "fractions": fractions if sources.WHOLE in origin.splits else None,
    }
    fingerprint = hashlib.sha256(
        json.dumps(recipe, sort_keys=True).encode()
    ).hexdigest()

    def build(folder: Path) -> None:
        splits = origin.splits
        if sources.WHOLE in splits:
            splits = _divide(splits[sources.WHOLE], tokens, fractions)
        _tokenise(splits, tokens, vocab_size, folder)

    try:
        root = Path(cache_dir).expanduser() if cache_dir else cache.default_root()
    except RuntimeError as error:
        raise InputError(
            f"A folder was wanted for --cache_dir, got {cache_dir!r} ({error}); name"
            f" another."
        ) from error
    folder = cache.folder(root, fingerprint, build)
    try:
        tokenizer = from_json(files.read_json(folder / "tokenizer.json"))
        splits: dict[str, np.ndarray] = {
            split: np.memmap(folder / f"{split}.ids", _id_type(tokenizer), mode="r")
            for split in sources.SPLITS
            if split == "train" or (folder / f"{split}.ids").exists()
        }
        extents = _extents(folder, splits) if tokens == "subword" else {}
    except (OSError, ValueError) as error:  # whole, but not what `build` made
        raise InputError(
            f"{folder} should hold a text's ids, but {error}; delete it."
        ) from error
    return Corpus(splits, tokenizer, fingerprint, sha256, extents)


def _check_fractions(fractions: tuple[float, float, float]) -> None:
    fit = len(fractions) == 3 and all(0 <= fraction <= 1 for fraction in fractions)
    if not (fit and fractions[0] and math.isclose(sum(fractions), 1)):
        raise InputError(
            "Fractions of train, valid and test that add up to 1, with some for train, "
            f"were wanted, and {fractions} came; change --fractions, say to 90/10/0."
        )


def _divide(
    member: Member, tokens: str, fractions: tuple[float, float, float]
) -> dict[str, Member]:
    """Cuts one text into splits by position."""
    size = member.size()
    train = _boundary(member, int(fractions[0] * size), tokens)
    valid = _boundary(member, int((fractions[0] + fractions[1]) * size), tokens)
    ends = [0, train, valid if fractions[2] else size, size]
    return {
        split: dataclasses.replace(member, start=start, stop=stop)
        for split, (start, stop) in zip(
            sources.SPLITS, itertools.pairwise(ends), strict=True
        )
    }


def _boundary(member: Member, position: int, tokens: str) -> int:
    """The first place from `position` on where the text may be cut."""
    near = next(dataclasses.replace(member, start=position).chunks(), b"")[: 1 << 16]
    if tokens == "byte":
        return position
    if tokens in ("word", "subword"):
        for space in (b"\n", b" "):  # a line, unless it is as long as text8's
            if space in near:
                return position + near.index(space) + 1
    inside = itertools.takewhile(lambda byte: byte & 0xC0 == 0x80, near[:4])
    return position + len(list(inside))


def _tokenise(
    splits: dict[str, Member], tokens: str, vocab_size: int | None, folder: Path
) -> None:
    """Writes `tokenizer.json` and the ids of each split that is not empty."""
    train, *others = splits.values()
    tokenizer = TOKENIZERS[tokens].fit(_blocks(train, tokens), vocab_size)
    if not tokenizer.size or not any(True for _ in _blocks(train, tokens)):
        raise InputError(
            f"Some text to train on was wanted, and {train.name} is empty or too short "
            "to be split; name another file with --data."
        )
    rest = itertools.chain.from_iterable(_blocks(other, tokens) for other in others)
    if any(tokenizer.unknown(block) for block in rest):
        tokenizer = tokenizer.with_unknown(vocab_size)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer.to_json()))
    for split, member in splits.items():
        path = folder / f"{split}.ids"
        with path.open("wb") as file:
            for block in _blocks(member, tokens):
                file.write(tokenizer.encode(block).astype(_id_type(tokenizer)).data)
        if not path.stat().st_size:
            path.unlink()
    if tokens == "subword":
        extents = {split: _extent(member) for split, member in splits.items()}
        (folder / _EXTENTS).write_text(json.dumps(extents))


def _blocks(member: Member, tokens: str) -> Iterator[Any]:
    """What the tokenizer of this kind encodes, piece by piece."""
    if tokens == "byte":
        return member.chunks()
    if tokens == "subword":
        return whole_pieces(member.text())
    return whole_words(member.text()) if tokens == "word" else member.text()


def _extent(member: Member) -> Extent:
    words = sum(len(split_words(block)) for block in whole_words(member.text()))
    return Extent(sum(len(piece.encode()) for piece in member.text()), words)


def _extents(folder: Path, splits: Iterable[str]) -> dict[str, Extent]:
    """Reads what `_tokenise` wrote; ValueError where it did not."""
    found = files.read_json(folder / _EXTENTS)
    try:
        return {split: Extent(*map(int, found[split])) for split in splits}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{_EXTENTS} lacks bytes and words of a split") from error


def _id_type(tokenizer: Tokenizer) -> np.dtype:
    return np.min_scalar_type(tokenizer.size - 1)
