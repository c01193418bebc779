"""Roots of binary numbers of any length: a context-sensitive language."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems.formal.language import FormalLanguage, Word, nats


@dataclasses.dataclass(frozen=True)
class ComputeSqrt(FormalLanguage):
    """What is the root of a binary number, rounded down? The highest bits come first.

    A = (length + 1) // 2. The root of n bits has (n + 1) // 2, zeros in front included.
    All bits are as likely, so that a number may be 0; the paper leaves 0 out.
    """

    alphabet = "01"
    classes = 2

    @property
    def places(self) -> int:
        """Half as many as the longest word has symbols, rounded up."""
        return (self.length + 1) // 2

    @property
    def floor(self) -> float:
        """The entropy of each bit, over all numbers."""
        table = np.zeros((self.places, self.classes))
        for n in self.lengths:
            for place in range((n + 1) // 2):
                ones = _ones(2**n, 2 ** ((n + 1) // 2 - 1 - place)) / 2**n
                table[place] += 1 - ones, ones
        return nats(table)

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        width, size = 2 * self.places, (n + 1) // 2
        bits = jax.random.randint(key, (width,), 0, 2)
        bits = jnp.where(jnp.arange(width) < width - n, 0, bits)
        root = _root(bits.reshape(-1, 2))
        symbols = jnp.roll(bits, n - width)[: self.length]
        return Word(symbols, jnp.roll(root, size - self.places), size)


def _root(pairs: jax.Array) -> jax.Array:
    """Returns the root, [places], of a number in pairs of bits, [places, 2].

    As by hand: with a pair more, what is left is compared with 4 * root + 1. Numbers
    inside are [places + 3], their lowest bit first.
    """

    def place(state, pair):
        root, left = state
        left = jnp.concatenate([pair[::-1], left[:-2]])
        rest, short = _less(left, jnp.concatenate([one, root[:-2]]))
        left = jnp.where(short > 0, left, rest)
        return (jnp.concatenate([1 - short[None], root[:-1]]), left), 1 - short

    one, zero = jnp.array([1, 0]), jnp.zeros(len(pairs) + 3, jnp.int32)
    return jax.lax.scan(place, (zero, zero), pairs)[1]


def _less(bits: jax.Array, others: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the difference, and 1 if it would be negative."""

    def borrow(owed, pair):
        left = pair[0] - pair[1] - owed
        return (left < 0).astype(jnp.int32), left % 2

    owed, rest = jax.lax.scan(borrow, jnp.int32(0), (bits, others))
    return rest, owed


def _ones(numbers: int, bit: int) -> int:
    """Returns how many numbers below have a bit (2 ** place) set in their root.

    The roots with that bit set are those from (2 k + 1) to (2 k + 2) times it.
    """
    whole = math.isqrt(numbers) // (2 * bit)
    rest = numbers - ((2 * whole + 1) * bit) ** 2
    return bit**2 * (2 * whole**2 + whole) + max(rest, 0)
