"""Sums and products of binary numbers of any length: context-sensitive languages."""

import abc
import dataclasses
import random

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems.formal.language import FormalLanguage, Word, nats

SIGN, END = 2, 2
LISTED = 16  # all products of words of that length at the most are listed for the floor
DRAWN = 1 << 14  # and so many are drawn where words may be longer


@dataclasses.dataclass(frozen=True)
class TwoNumbers(FormalLanguage):
    """Two numbers, the lowest bit first, with a sign between them: what comes of them?

    A = length: the bits of the result, the lowest first, up to the highest 1 (0 is one
    bit), then an end (2). The first number has 1 to n - 2 bits, the second the others.
    All bits are as likely, so that a number may be 0; the paper leaves 0 out.
    """

    classes = 3
    shortest = 3

    @abc.abstractmethod
    def sums(self, first: jax.Array, second: jax.Array) -> jax.Array:
        """Returns the result of bits, [length] each, before anything is carried."""

    @property
    def places(self) -> int:
        """As many as the longest word has symbols: the longest result, and the end."""
        return self.length

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        of_bits, of_size = jax.random.split(key)
        size = jax.random.randint(of_size, (), 1, n - 1)  # of the first number
        bits = jax.random.randint(of_bits, (self.length,), 0, 2)
        place = jnp.arange(self.length)
        first = jnp.where(place < size, bits, 0)
        second = jnp.where((place > size) & (place < n), bits, 0)
        result = _carried(self.sums(first, jnp.roll(second, -1 - size)))
        top = jnp.max(jnp.where(result > 0, place, 0))
        return Word(bits.at[size].set(SIGN), result.at[top + 1].set(END), top + 2)


@dataclasses.dataclass(frozen=True)
class BinaryAddition(TwoNumbers):
    """The sum of two binary numbers; see `TwoNumbers`."""

    alphabet = "01+"

    @property
    def floor(self) -> float:
        """The entropy of bits and end, place by place, over all pairs of numbers."""
        pairs = [(size, n - 1 - size) for n in self.lengths for size in range(1, n - 1)]
        low, high = np.sort(pairs, axis=1).T
        return nats(_sums(low, high, 1 / (low + high - 1), self.places))

    def sums(self, first: jax.Array, second: jax.Array) -> jax.Array:
        """Returns the sums of bits of a place."""
        return first + second


@dataclasses.dataclass(frozen=True)
class BinaryMultiplication(TwoNumbers):
    """The product of two binary numbers; see `TwoNumbers`."""

    alphabet = "01*"

    @property
    def floor(self) -> float:
        """The entropy of bits and end, place by place.

        Exact up to a length of 16, where all pairs of numbers are looked at. Beyond, no
        way is known that is short: it is that of 16,384 pairs, always the same, less
        than 0.003 off and, as entropies of samples are, rather below than above.
        """
        if self.length > LISTED:
            return nats(_said(self._drawn(), self.places))
        table = np.zeros((self.places, self.classes))
        for n in self.lengths:
            for size in range(1, n - 1):
                first, second = np.arange(2**size), np.arange(2 ** (n - 1 - size))
                products = np.multiply.outer(first, second)
                table += _said(products, self.places) / (n - 2)
        return nats(table)

    def sums(self, first: jax.Array, second: jax.Array) -> jax.Array:
        """Returns the sums of products of bits whose places add up to the same."""
        place = jnp.arange(self.length)
        other = place[:, None] - place
        return jnp.sum(jnp.where(other < 0, 0, second[other]) * first, axis=1)

    def _drawn(self) -> np.ndarray:
        rng, products = random.Random(0), []
        for n in rng.choices(self.lengths, k=DRAWN):
            size = rng.randrange(1, n - 1)
            products.append(rng.getrandbits(size) * rng.getrandbits(n - 1 - size))
        return np.array(products, object)  # of any size


def _carried(sums: jax.Array) -> jax.Array:
    """Returns bits, the lowest first, from what is to be summed up at each place."""

    def carry(over, these):
        return (these + over) // 2, (these + over) % 2

    return jax.lax.scan(carry, jnp.zeros_like(sums[0]), sums)[1]


def _said(values: np.ndarray, places: int) -> np.ndarray:
    """Returns how often a bit, or the end, is said of a value, [places, 3]."""
    table, before = np.zeros((places, 3)), 1.0
    for place in range(places):
        rest = values >> place
        counts = float(np.mean(rest > 0)) if place else 1.0
        ones = float(np.mean(rest & 1))
        table[place] = counts - ones, ones, before - counts
        before = counts
    return table


def _sums(
    low: np.ndarray, high: np.ndarray, weights: np.ndarray, places: int
) -> np.ndarray:
    """Returns as `_said` of the sums of all numbers of low and high bits, [P] each.

    A chain of carries: `carry` is how likely each is at a place, `none` how likely only
    zeros follow it.
    """
    place = np.arange(places)[:, None]
    both, one = place < low, (place >= low) & (place < high)
    ones = np.stack([1 - 0.75 * both - 0.5 * one, 0.5 * (both | one), 0.25 * both])
    ones = np.moveaxis(ones, 0, 1)  # [places, 3, P]: both bits sum up to 0, 1 or 2
    none = [np.stack([np.ones(len(low)), np.zeros(len(low))])]
    for zero, odd, two in ones[::-1]:
        none.append(
            np.stack([zero * none[-1][0] + two * none[-1][1], odd * none[-1][1]])
        )
    none.reverse()
    table, carry = np.zeros((places + 1, 3)), none[-1]
    for t, (zero, odd, two) in enumerate(ones):
        even = np.stack([zero * carry[0], odd * carry[1] + two * carry[0]])
        odds = np.stack([odd * carry[0] + zero * carry[1], two * carry[1]])
        table[t, 0] += np.sum(even * (1 - none[t + 1]), axis=0) @ weights
        table[t, 1] += np.sum(odds, axis=0) @ weights
        table[t + 1, END] += np.sum(odds * none[t + 1], axis=0) @ weights
        carry = even + odds
    table[0, 0] += none[0][0] @ weights  # 0 is one bit
    table[1, END] += none[0][0] @ weights
    return table[:-1]
