"""What can be told of each place in a text by reading it: columns, quotes, depth.

A unit that follows one of these closely has learned it, as the quote and the line
length cells of Karpathy, Johnson and Fei-Fei, Visualizing and understanding recurrent
networks, 2015, https://arxiv.org/abs/1506.02078.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

OPEN, CLOSE = "([{", ")]}"


def properties(pieces: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns each property after each piece of a text, float [N] by name.

    Args:
        pieces: N texts, which are the whole text one after the other.
    """
    ends = np.cumsum([len(piece) for piece in pieces]) - 1
    text = "".join(pieces)
    return {
        name: np.asarray(list(read(text)), float)[ends] if text else np.zeros(0)
        for name, read in PROPERTIES.items()
    }


def _since(resets: Callable[[str], bool]) -> Callable[[str], Iterable[int]]:
    """Returns a count of the characters since one that resets it."""

    def read(text):
        count = 0
        for character in text:
            count = 0 if resets(character) else count + 1
            yield count

    return read


def _inside(mark: str) -> Callable[[str], Iterable[int]]:
    """Returns whether a place is between two marks; a line without a pair has none."""

    def read(text):
        for line in text.splitlines(keepends=True):
            within = line.count(mark) // 2 * 2  # marks that have a partner
            inside = False
            for character in line:
                if character == mark and within:
                    inside, within = not inside, within - 1
                yield inside

    return read


def _depth(text: str) -> Iterable[int]:
    """Yields how many brackets are open; a line end closes all."""
    depth = 0
    for character in text:
        depth += character in OPEN
        depth -= character in CLOSE and depth > 0
        depth *= character != "\n"
        yield depth


def _indent(text: str) -> Iterable[int]:
    """Yields the spaces that the line begins with, so far."""
    indent, blank = 0, True
    for character in text:
        if character == "\n":
            indent, blank = 0, True
        elif blank and character == " ":
            indent += 1
        else:
            blank = False
        yield indent


def _is(holds: Callable[[str], bool]) -> Callable[[str], Iterable[int]]:
    return lambda text: map(holds, text)


PROPERTIES: Mapping[str, Callable[[str], Iterable[int]]] = {
    "place in the line": _since(lambda c: c == "\n"),
    "place in the word": _since(lambda c: not c.isalnum()),
    "place in the sentence": _since(lambda c: c in ".!?"),
    'inside "quotes"': _inside('"'),
    "open brackets": _depth,
    "indentation": _indent,
    "a space": _is(str.isspace),
    "a capital": _is(str.isupper),
    "a digit": _is(str.isdigit),
    "punctuation": _is(lambda c: not (c.isalnum() or c.isspace())),
    "a vowel": _is(lambda c: c.lower() in "aeiou"),
}
