"""Context-sensitive languages of strings: more than a stack is needed, order kept."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems.formal.language import Even, FormalLanguage, Word, nats

HIDDEN, FILL = 2, 3


@dataclasses.dataclass(frozen=True)
class DuplicateString(Even):
    """What is a word of bits, twice? A = 2 * length."""

    alphabet = "01"
    classes = 2

    @property
    def places(self) -> int:
        """Twice as many as the longest word has symbols."""
        return 2 * self.length

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        bits = jax.random.randint(key, (self.length,), 0, 2)
        return Word(bits, bits[jnp.arange(self.places) % n], 2 * n)


@dataclasses.dataclass(frozen=True)
class MissingDuplicate(Even):
    """Which bit is hidden (?) in a word that is the same bits twice?

    A word of odd length ends with a symbol that means nothing (.), as in the paper.
    """

    alphabet = "01?."
    classes = 2
    shortest = 2

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        of_bits, of_place = jax.random.split(key)
        half, place = n // 2, jnp.arange(self.length)
        bits = jax.random.randint(of_bits, (self.length,), 0, 2)
        twice = jnp.where(place < 2 * half, bits[place % half], FILL)
        hidden = jax.random.randint(of_place, (), 0, 2 * half)
        return Word(twice.at[hidden].set(HIDDEN), twice[hidden][None], 1)


@dataclasses.dataclass(frozen=True)
class OddsFirst(Even):
    """What are the bits of a word at odd places, and then those at even ones?

    Places count from one, as in the paper; its code says the even ones first.
    A = length.
    """

    alphabet = "01"
    classes = 2

    @property
    def places(self) -> int:
        """As many as the longest word has symbols."""
        return self.length

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        bits = jax.random.randint(key, (self.length,), 0, 2)
        place, odds = jnp.arange(self.length), (n + 1) // 2
        taken = jnp.where(place < odds, 2 * place, 2 * (place - odds) + 1)
        return Word(bits, bits[taken], n)


@dataclasses.dataclass(frozen=True)
class BucketSort(FormalLanguage):
    """What is a word of digits from 0 to 4, sorted? A = length."""

    alphabet = "01234"
    classes = 5

    @property
    def places(self) -> int:
        """As many as the longest word has symbols."""
        return self.length

    @property
    def floor(self) -> float:
        """The entropy at each place of the sorted digits.

        The one at place a is at most v if more than a of the n digits are.
        """
        table = np.zeros((self.places, self.classes))
        for n in self.lengths:
            most = [_more(n, (v + 1) / self.classes) for v in range(self.classes)]
            table[:n] += np.diff(np.stack(most, axis=1), axis=1, prepend=0)
        return nats(table)

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        digits = jax.random.randint(key, (self.length,), 0, self.classes)
        last = jnp.where(jnp.arange(self.length) < n, digits, self.classes)
        return Word(digits, jnp.minimum(jnp.sort(last), self.classes - 1), n)


def _more(n: int, p: float) -> np.ndarray:
    """Returns how likely it is that more than a of n have what one has with p, [n]."""
    odds = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    return np.cumsum(odds[:0:-1])[::-1]
