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
        table = np.zeros((self.places, self.classes))
        for n in self.lengths:
            for size in range(1, n - 1):
                said = _sum(size, n - 1 - size)
                table[: len(said)] += said / (n - 2)
        return nats(table)

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
    """Returns how often a bit or the end of values is said, [places, 3], in the mean."""
    table, before = np.zeros((places, 3)), 1.0
    for place in range(places):
        rest = values >> place
        counts = float(np.mean(rest > 0)) if place else 1.0
        ones = float(np.mean(rest & 1))
        table[place] = counts - ones, ones, before - counts
        before = counts
    return table


def _sum(size: int, other: int) -> np.ndarray:
    """Returns as `_said` for the sums of all numbers of so many bits.

    A chain of carries: `carry` is how likely each is, `none` how likely only zeros
    follow it.
    """
    low, high = sorted((size, other))
    ones = np.array([[1, 2, 1]] * low + [[2, 2, 0]] * (high - low) + [[4, 0, 0]]) / 4
    none = [np.array([1.0, 0.0])]
    for odds in ones[::-1]:
        last = none[-1]
        none.append(
            np.array([odds[0] * last[0] + odds[2] * last[1], odds[1] * last[1]])
        )
    none.reverse()
    table, carry = np.zeros((high + 2, 3)), np.array([1.0, 0.0])
    for place, odds in enumerate(ones):
        total = np.convolve(odds, carry).reshape(2, 2)  # [carried, bit]
        carry = total.sum(axis=1)
        table[place, :2] += total.sum(axis=0)
        table[place, 0] -= total[:, 0] @ none[place + 1]
        table[place + 1, END] += total[:, 1] @ none[place + 1]
    table[0, 0] += none[0][0]  # 0 is one bit
    table[1, END] += none[0][0]
    return table
