"""What writes with a trained language model: settings, model, tokens."""

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rnnlab.errors import InputError
from rnnlab.nn.generation import Sampling
from rnnlab.options import check, option

if TYPE_CHECKING:  # --help does without numpy
    import numpy as np

    from rnnlab.data.tokenizers import Tokenizer

SHOWN = 10  # of the pieces that a vocabulary lacks


@dataclasses.dataclass(frozen=True)
class Writing:
    """How text is written: the flags that the commands share."""

    sampling: Sampling = Sampling()
    length: int = option(400, "tokens to write", above=0)
    seed: int = option(0, "of the draws", least=0, below=2**32)
    until: str | None = option(None, "a token that ends a text, such as a line end")
    unknown: str = option(
        "refuse",
        "what is done with a prompt's unknown tokens; map: to the unknown symbol",
        choices=("refuse", "map"),
    )

    def __post_init__(self):
        check(self)


class Writer(NamedTuple):
    """A trained language model and its tokens."""

    model: Any
    params: Any
    tokenizer: "Tokenizer"


def load(workdir: str) -> Writer:
    """Returns the model of a workdir's best checkpoint, or of its newest.

    Raises:
        InputError: the folder is not the workdir of a language model.
        NoUsableCheckpoint: no checkpoint can be read.
        IncompatibleCheckpoint: its state is not of its model and vocabulary.
    """
    from launch import trained
    from rnnlab.data import tokenizers

    record, task, state = trained.restore(workdir)
    tokenizer = tokenizers.from_json(record.data.get("tokenizer"))
    return Writer(task.model, state.params, tokenizer)


def encoded(
    tokenizer: "Tokenizer", text: str, name: str, unknown: str = "refuse"
) -> "np.ndarray":
    """Returns the tokens of a text, int [T]; what is mapped is told on stderr.

    Args:
        tokenizer: the model's.
        text: from the person at the terminal.
        name: what an error calls it, such as --prompt.
        unknown: of `Writing`.

    Raises:
        InputError: the text is empty, or has pieces that the vocabulary lacks and that
            are not to be mapped, or cannot be.
    """
    lacks = tokenizer.unknown(text)
    maps = tokenizer.with_unknown() == tokenizer
    if lacks and (unknown == "refuse" or not maps):
        way = ", or pass --unknown=map" if maps else ""
        raise InputError(
            f"{name} must be made of tokens the model knows, but it has never seen"
            f" {_listed(lacks)}; leave these out{way}."
        )
    if lacks:
        print(f"{name}: read as unknown: {_listed(lacks)}", file=sys.stderr)
    ids = tokenizer.encode(text)
    if len(ids) == 0:
        raise InputError(
            f"{name} must hold at least one token, got an empty text; write one."
        )
    return ids


def beginning(tokenizer: "Tokenizer") -> "np.ndarray":
    """Returns what a text begins with that has no prompt, int [1].

    It is a line end, or the first token where the vocabulary has none.
    """
    return tokenizer.encode(tokenizer.pieces[0] if tokenizer.unknown("\n") else "\n")


def _listed(pieces: Sequence[str]) -> str:
    """Returns the first of some pieces in quotes."""
    return ", ".join(map(repr, pieces[:SHOWN])) + ", ..." * (len(pieces) > SHOWN)


def token(tokenizer: "Tokenizer", text: str | None) -> int | None:
    """Returns the one token that --until names, or None for none.

    Raises:
        InputError: it is not one token of the vocabulary.
    """
    if text is None:
        return None
    ids = encoded(tokenizer, text, "--until")
    if len(ids) > 1:
        raise InputError(
            f"--until must be one token, got {len(ids)} in {text!r:.80}; leave out all"
            f" but one."
        )
    return int(ids[0])


def lines(name: str, path: str) -> list[str]:
    """Returns the lines of the file that a flag names.

    Raises:
        InputError: it cannot be read, is not UTF-8 or has no line.
    """
    from rnnlab import files

    try:
        text = files.read(Path(path).expanduser()).decode()
    except (OSError, ValueError) as error:  # a NUL in the path, too
        raise InputError(
            f"--{name} must name a text file in UTF-8, but {error}; pass another."
        ) from error
    found = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if found == [""]:
        raise InputError(
            f"--{name} must name a file with a text a line, got {path!r:.80}, which is"
            f" empty; write a line."
        )
    return found


def upto(ids: Iterable[int], end: int | None) -> Iterator[int]:
    """Yields ids up to the one that ends the text, that one included."""
    for i in ids:
        yield i
        if i == end:
            return
