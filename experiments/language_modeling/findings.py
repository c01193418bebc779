"""All that `launch.breakdown` tells of a model and a text, as plain data."""

import codecs
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.language_modeling import breakdown
from experiments.language_modeling.breakdown import Bin, Group, Told
from experiments.language_modeling.task import LanguageTask
from rnnlab.data.tokenizer import Tokenizer

BEFORE = 60  # characters shown before a dear token


class Place(NamedTuple):
    """One token of the text.

    Attributes:
        place: its number among the targets.
        before: the text that leads to it.
        token: itself.
        nats: what it cost.
    """

    place: int
    before: str
    token: str
    nats: float


class Findings(NamedTuple):
    """Where the nats of a text go.

    Attributes:
        told: what the model said of each target.
        groups: by what targets are told apart, the groups.
        bins: of the model's confidence.
        dearest: tokens that cost most in all.
        places: tokens that cost most singly.
    """

    told: Told
    groups: Mapping[str, Sequence[Group]]
    bins: Sequence[Bin]
    dearest: Sequence[Group]
    places: Sequence[Place]

    def to_json(self) -> dict[str, Any]:
        """Returns all of it but what was said of each target."""
        return {
            "by": {name: _plain(groups) for name, groups in self.groups.items()},
            "calibration_error": breakdown.calibration_error(self.bins),
            "reliability": _plain(self.bins),
            "dearest_tokens": _plain(self.dearest),
            "dearest_places": _plain(self.places),
        }


def find(
    task: LanguageTask, params: Any, tokenizer: Tokenizer, split: str, most: int
) -> Findings:
    """Reads a split and returns where its nats go.

    Args:
        task: with the text.
        params: trained.
        tokenizer: of the text.
        split: to be read.
        most: tokens and places to name.
    """
    told = breakdown.told(task, params, split)
    groups = {
        "times in train": breakdown.by_frequency(told, task.streams["train"].counts),
        "tokens since a blank state": breakdown.by_place(told, told.since_start),
    }
    ends = np.array(["\n" in tokenizer.decode([i]) for i in range(tokenizer.size)])
    if ends.any():
        since = breakdown.since_line_end(ends[told.targets])
        groups["tokens since the line end"] = breakdown.by_place(told, since)
    names = [_name(tokenizer, i) for i in range(tokenizer.size)]
    dearest = breakdown.dearest_types(told, names, most)
    places = [
        Place(
            int(k), _before(told.targets, k, tokenizer), names[i], float(told.nats[k])
        )
        for k in breakdown.dearest_places(told, most)
        for i in (told.targets[k],)
    ]
    return Findings(told, groups, breakdown.reliability(told), dearest, places)


def pieces(targets: np.ndarray, tokenizer: Tokenizer) -> list[str]:
    """Returns each token as it stands in the text, the blanks before it included.

    A character of several tokens stands with the last of them.
    """
    if isinstance(tokenizer.pieces[0], bytes):
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        return [decode(tokenizer.pieces[i]) for i in targets.tolist()]
    found, sofar = [], ""
    for i in targets.tolist():
        piece = tokenizer.decode([i])
        blank = tokenizer.kind == "word" and not (piece == "\n" or sofar[-1:] in "\n")
        found.append(" " + piece if blank else piece)
        sofar = piece
    return found


def _name(tokenizer, i):
    """Returns what a token is called: bytes that are no text, by their numbers."""
    piece = tokenizer.pieces[i]
    if isinstance(piece, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            return shown(piece.decode())
        return repr(piece)
    return shown(tokenizer.decode([i]))


def shown(text: str) -> str:
    """Returns a token so that it can be seen: blanks and line ends in quotes."""
    return text if text.isprintable() and text.strip() else repr(text)


def _before(targets, place, tokenizer):
    """Returns the end of the text before a target."""
    ids = targets[max(0, place - BEFORE) : place].tolist()
    return " ".join(tokenizer.decode(ids).split())[-BEFORE:]


def _plain(rows):
    """Returns named tuples as JSON data."""
    return [row._asdict() for row in rows]
