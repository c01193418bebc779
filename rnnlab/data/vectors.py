"""Vectors of words, as GloVe, word2vec and fastText write them as text.

A line a word: the word, and its numbers, with a space between. A first line of two
whole numbers, words and features, is passed over.

References:
    Mikolov et al., Efficient estimation of word representations in vector space, 2013,
    https://arxiv.org/abs/1301.3781
    Pennington, Socher, Manning, GloVe: global vectors for word representation, 2014,
    https://doi.org/10.3115/v1/D14-1162
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rnnlab.errors import InputError

LONGEST = 1 << 20  # bytes of a line


def read(path: str, ids: Mapping[str, int], features: int) -> dict[int, np.ndarray]:
    """Returns the vectors of known words by id, float32 [features] each.

    Of a word that stands there twice, the first counts. Only what is known is kept: the
    file may be larger than memory.

    Args:
        path: of the file.
        ids: the words that are wanted.
        features: numbers of a vector.

    Raises:
        InputError: the file cannot be read, a line has another number of numbers, one
            is not finite, or no word is known.
    """
    found: dict[int, np.ndarray] = {}
    try:
        with Path(path).expanduser().open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), 1):
                if number == 1 and _is_header(line):
                    continue
                parts = line.decode("utf-8", "replace").rstrip().rsplit(" ", features)
                count = len(line.split()) - 1
                # A word may hold spaces: the first one is taken to have none.
                if len(parts) <= features or (number <= 2 and count != features):
                    raise _odd(path, number, features, f"{count}")
                place = ids.get(parts[0])
                if place is None or place in found:
                    continue
                try:
                    vector = np.array(parts[1:], np.float32)
                except ValueError as error:
                    raise _odd(path, number, features, str(error)) from error
                if not np.isfinite(vector).all():
                    raise _odd(path, number, features, "one that is not finite")
                found[place] = vector
    except OSError as error:
        raise InputError(
            f"--vectors must be a file of word vectors, got {path} ({error.strerror});"
            f" name another."
        ) from error
    if not found:
        raise InputError(
            f"--vectors must have vectors of words of the text, got {path}, which has"
            f" none of {len(ids)}; name the file for this language and --tokens."
        )
    return found


def _is_header(line: bytes) -> bool:
    parts = line.split()
    return len(parts) == 2 and all(part.isdigit() for part in parts)


def _odd(path: str, number: int, features: int, got: str) -> InputError:
    return InputError(
        f"--vectors must have a word and {features} numbers in each line, as"
        f" --embedding says, got {got:.80} in line {number} of {path}; take the"
        f" --embedding that the file was made with."
    )
