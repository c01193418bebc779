"""An n-gram model: interpolated modified Kneser-Ney, by sorts of whole arrays.

    p(w | h) = max(c(hw) - D(c(hw)), 0) / c(h) + rest(h) p(w | h')

h' is h without its first token, c counts in the longest n-grams how often they stand
in the text, in the shorter ones which different tokens stand before them, and D is one
of three discounts, for counts of 1, 2 and more. The last p is 1 / V, so that what train
lacks has a probability too.

The distinct k-grams have numbers, in the order of their keys: the number of the first
k - 1 tokens, times V, plus the last token. So a key is one integer, whatever k is.

References:
    Chen and Goodman, An empirical study of smoothing techniques for language modeling,
    1999; the fallback is KenLM's, https://kheafield.com/code/kenlm/
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np

from rnnlab.errors import InputError

FALLBACK = 0.5, 1.0, 1.5  # discounts where counts of counts cannot tell them


class Grams(NamedTuple):
    """What is known of the n-grams of one length.

    Attributes:
        keys: int64 [G], sorted.
        shares: float64 [G + 1], (c - D) / c(h). The last, which -1 picks, is 0: of all
            that were not seen.
        rests: float64 [C + 1], by context: what the discounts left to shorter contexts.
            The last is 1.
    """

    keys: np.ndarray
    shares: np.ndarray
    rests: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class KneserNey:
    """The model of a text.

    Attributes:
        vocab_size: V; ids are below it.
        levels: The n-grams of 1 token, of 2, and so on.
    """

    vocab_size: int
    levels: tuple[Grams, ...]

    @classmethod
    def fit(cls, ids: np.ndarray, vocab_size: int, order: int) -> Self:
        """Counts the n-grams of a text, in time N log N for each length.

        Args:
            ids: Integers [N]; takes about 70 N bytes, beside the model.
            vocab_size: V.
            order: The longest n-grams that are counted.

        Raises:
            InputError: There is no n-gram of that length.
        """
        if not 1 <= order <= len(ids):
            raise InputError(
                f"--order must be from 1 to the {len(ids)} tokens of the text, got"
                f" {order}; a usual one is 5 for words, and 8 for characters."
            )
        levels = itertools.starmap(_grams, _counted(ids, vocab_size, order))
        return cls(vocab_size, tuple(levels))

    @property
    def size(self) -> int:
        """The number of n-grams of all lengths."""
        return sum(len(level.keys) for level in self.levels)

    @property
    def memory(self) -> int:
        """The bytes that they take."""
        return sum(array.nbytes for array in itertools.chain(*self.levels))

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Returns float64 [N - 1]: each id but the first, given all before it.

        Of these, as many as the order takes; fewer at the start.
        """
        found = np.full(len(ids), 1 / self.vocab_size)
        numbers = np.zeros(len(ids) + 1, np.int64)  # -1 for what was not seen
        for length, level in enumerate(self.levels, start=1):
            keys = _keys(numbers, ids, length, self.vocab_size)
            places = np.searchsorted(level.keys, keys)
            places[places == len(level.keys)] = 0
            here = np.where(level.keys[places] == keys, places, -1)
            rests = level.rests[numbers[:-1]]
            found[length - 1 :] = level.shares[here] + rests * found[length - 1 :]
            numbers = here
        return found[1:]


def _keys(
    numbers: np.ndarray, ids: np.ndarray, length: int, vocab_size: int
) -> np.ndarray:
    """Returns the key of the n-gram at each place, from the number of its context."""
    return numbers[:-1] * vocab_size + ids[length - 1 :]


def _counted(
    ids: np.ndarray, vocab_size: int, order: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """Yields keys, their contexts, their counts and how many contexts there are.

    Of each length in turn; all but the longest are counted once the next is known.
    """
    numbers = np.zeros(len(ids) + 1, np.int64)
    keys, counts, contexts = numbers[:1], numbers[:1], 1  # of no token
    for length in range(1, order + 1):
        found, inverse, counts = np.unique(
            _keys(numbers, ids, length, vocab_size),
            return_inverse=True,
            return_counts=True,
        )
        if length > 1:
            suffixes = np.empty_like(found)
            suffixes[inverse] = numbers[1:]
            before = np.bincount(suffixes, minlength=len(keys))
            yield keys, keys // vocab_size, before, contexts
        keys, contexts, numbers = found, len(keys), inverse
    yield keys, keys // vocab_size, counts, contexts


def _grams(
    keys: np.ndarray, context: np.ndarray, counts: np.ndarray, contexts: int
) -> Grams:
    """Returns the n-grams of one length, from their counts.

    One that stands at the start of the text alone has a count of 0.
    """
    taken = np.array([0.0, *discounts(counts)])[np.minimum(counts, 3)]
    total = np.bincount(context, counts, contexts)
    shares, rests = np.zeros(len(keys) + 1), np.ones(contexts + 1)
    sums, left = total[context], np.bincount(context, taken, contexts)
    np.divide(counts - taken, sums, out=shares[:-1], where=sums > 0)
    np.divide(left, total, out=rests[:-1], where=total > 0)
    return Grams(keys, shares, rests)


def discounts(counts: np.ndarray) -> tuple[float, float, float]:
    """Returns D1, D2 and D3+ from how many n-grams have a count of 1, 2, 3 and 4.

    `FALLBACK` where one of these is missing, or a discount is not in (0, its count].
    """
    some = np.bincount(np.minimum(counts, 5), minlength=6).tolist()
    if not all(some[1:4]):
        return FALLBACK
    y = some[1] / (some[1] + 2 * some[2])
    one, two, three = (k - (k + 1) * y * some[k + 1] / some[k] for k in (1, 2, 3))
    fit = 0 < one <= 1 and 0 < two <= 2 and 0 < three <= 3
    return (one, two, three) if fit else FALLBACK
