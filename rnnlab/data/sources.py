"""What `--data` may name, turned into members: one for each split, or one for all.

    ''              the English text that every CPython carries: `pydoc_data.topics`
    FILE            one text, split by position
    FOLDER          the files directly in it, each naming its split: `ptb.valid.txt`
    FILE.tar.gz     the same, in an archive: .tar.gz, .tgz, .tar, .zip
    tfds:NAME       a data set of tensorflow-datasets: `tfds:NAME/config:version`

A folder or archive with one text that names no split is treated like that text.
"""

import dataclasses
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from rnnlab.data import archives, tfds_text
from rnnlab.data.members import Member, from_bytes, from_file
from rnnlab.errors import InputError

WHOLE = "whole"  # stands for a split's name where the text is yet to be split
SPLITS = ("train", "valid", "test")

_WORDS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "dev": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
_TEXT_SUFFIXES = ("", ".txt", ".text", ".tokens", ".raw")


@dataclasses.dataclass(frozen=True)
class Source:
    """A corpus before it is tokenised.

    Attributes:
        splits: Split -> its member; the only key is `WHOLE` where none is named.
        content: The same keys -> what to hash to know the corpus again. It is the
            splits themselves, except where their stored form is quicker to read.
    """

    splits: dict[str, Member]
    content: dict[str, Member]


def resolve(source: str, data_dir: str | None = None) -> Source:
    """Finds what a `--data` flag names.

    Args:
        source: The flag, as the module's docstring lists it.
        data_dir: Where tensorflow-datasets keeps its data; None for its default.

    Raises:
        InputError: There is no such thing, or it cannot be told what its splits are.
    """
    if source.startswith("tfds:"):
        splits, content = tfds_text.members(source.removeprefix("tfds:"), data_dir)
        splits = _by_split(splits.items(), source)
        content = _by_split(content.items(), source)
        if list(splits) == ["train"]:
            splits, content = {WHOLE: splits["train"]}, {WHOLE: content["train"]}
        return Source(splits, content)
    if source:
        try:
            splits = _local(Path(source).expanduser())
        except (OSError, RuntimeError) as error:  # unreadable, too long, no such home
            raise InputError(
                f"A readable --data was wanted, and {source[:200]!r} gives: {error}; "
                "check the path and its permissions."
            ) from error
    else:
        splits = {WHOLE: _embedded()}
    return Source(splits, splits)


def _embedded() -> Member:
    try:
        from pydoc_data import topics
    except ImportError as error:
        raise InputError(
            "The default corpus is Python's own pydoc_data.topics, and this Python was "
            "built without it; name a text file, folder or archive with --data."
        ) from error
    text = "".join(topics.topics[key] for key in sorted(topics.topics))
    return from_bytes("pydoc_data.topics", text.encode())


def _local(path: Path) -> dict[str, Member]:
    if path.is_dir():
        files = sorted(entry for entry in path.iterdir() if entry.is_file())
        return _by_name([from_file(file) for file in files], str(path))
    if not path.is_file():
        raise InputError(
            "A file, a folder, an archive or tfds:NAME was wanted for --data, and "
            f"{str(path)!r} {'is none' if path.exists() else 'does not exist'}; check "
            "the path, which for a run that is there may have moved: --data then names"
            " the new one."
        )
    if path.name.endswith(archives.SUFFIXES):
        return _by_name(archives.members(path), str(path))
    return {WHOLE: from_file(path)}


def _by_name(members: list[Member], where: str) -> dict[str, Member]:
    """Members -> splits, or the one text among them as the whole."""
    pairs = [(PurePosixPath(member.name), member) for member in members]
    pairs = [(path, member) for path, member in pairs if path.name[0] != "."]
    texts = [member for path, member in pairs if path.suffix in _TEXT_SUFFIXES]
    if any(_split(path.name) for path, _ in pairs):
        return _by_split([(path.name, member) for path, member in pairs], where)
    if len(texts) == 1:
        return {WHOLE: texts[0]}
    raise InputError(
        "One text, or files that name their split as train.txt and valid.txt do, were "
        f"wanted in {where}, which has {_names(texts) or 'no text'}; rename them, or "
        "name one file with --data."
    )


def _by_split(members: Collection[tuple[str, Member]], where: str) -> dict[str, Member]:
    """Names -> splits, in the order of `SPLITS`; names of no split are left out."""
    found: dict[str, list[Member]] = {split: [] for split in SPLITS}
    for name, member in members:
        if split := _split(name):
            found[split].append(member)
    for split, several in found.items():
        if len(several) > 1:
            raise InputError(
                f"One member for each split was wanted in {where}, and {split} has "
                f"{_names(several)}; keep one of them, or name one file with --data."
            )
    if not found["train"]:
        raise InputError(
            f"A train split was wanted in {where}, which has "
            f"{_names([member for _, member in members])}; name one of them train, or "
            "name another --data."
        )
    return {split: several[0] for split, several in found.items() if several}


def _split(name: str) -> str | None:
    """`wiki.valid.tokens` -> valid; None where no split is named, or two are."""
    splits = {_WORDS.get(word) for word in re.split("[^a-z]+", name.lower())} - {None}
    return splits.pop() if len(splits) == 1 else None


def _names(members: list[Member]) -> str:
    more = ", ..." if len(members) > 8 else ""
    return ", ".join(member.name for member in members[:8]) + more
