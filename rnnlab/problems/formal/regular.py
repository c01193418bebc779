"""Regular languages: what a finite automaton can answer. One answer each."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems.formal.language import (
    MODULUS,
    Even,
    FormalLanguage,
    Word,
    nats,
    zero_or_any,
)


@dataclasses.dataclass(frozen=True)
class EvenPairs(FormalLanguage):
    """Is the number of 01 and 10 in a word of bits odd? Do its ends differ, that is."""

    alphabet = "01"
    classes = 2

    @property
    def floor(self) -> float:
        """As likely odd as even, but for words of one bit, which have no pair."""
        odd = (len(self.lengths) - 1) / (2 * len(self.lengths))
        return nats(np.array([[1 - odd, odd]]))

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        bits = jax.random.randint(key, (self.length,), 0, 2)
        return Word(bits, (bits[0] ^ bits[n - 1])[None], 1)


@dataclasses.dataclass(frozen=True)
class ParityCheck(Even):
    """Is the number of ones in a word of bits odd?"""

    alphabet = "01"
    classes = 2

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        bits = jax.random.randint(key, (self.length,), 0, 2)
        ones = jnp.sum(bits * (jnp.arange(self.length) < n))
        return Word(bits, (ones % 2)[None], 1)


@dataclasses.dataclass(frozen=True)
class CycleNavigation(FormalLanguage):
    """Steps to the left (-), to the right (+) or none (0), on a ring of five: where to?

    The walk begins at 0, a step to the right leads to 1.
    """

    alphabet = "-0+"
    classes = MODULUS

    @property
    def floor(self) -> float:
        """The entropy of where the walk ends, its length unknown."""
        end, ends = np.eye(MODULUS)[0], np.zeros(MODULUS)
        for _ in self.lengths:
            end = (np.roll(end, -1) + end + np.roll(end, 1)) / 3
            ends += end
        return nats(ends[None])

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        ids = jax.random.randint(key, (self.length,), 0, 3)
        end = jnp.sum((ids - 1) * (jnp.arange(self.length) < n)) % MODULUS
        return Word(ids, end[None], 1)


@dataclasses.dataclass(frozen=True)
class ModularArithmetic(FormalLanguage):
    """What is a sum of products of digits, +, - and * between them, modulo 5?

    All words are of odd length.
    """

    alphabet = "01234+-*"
    classes = MODULUS

    @property
    def lengths(self) -> range:
        """The lengths of words, as likely each: the odd ones."""
        return range(1, self.length + 1, 2)

    @property
    def floor(self) -> float:
        """The entropy of the value, the number of digits unknown.

        As 5 is prime, values that are not 0 are as likely as each other, so that a
        value is certainly 0 with some probability and else any of the five: with
        1 - 0.8 ** (j - 1) for a product of j digits, and for a sum with the product
        over its terms. The first term has j digits after j - 1 times * and a + or -.
        """
        zero: list[float] = [1]  # by the number of digits
        for digits in range(1, len(self.lengths) + 1):
            mean = 0.0
            for j in range(1, digits + 1):
                odds = 3 ** (1 - j) if j == digits else 3 ** (1 - j) * 2 / 3
                mean += odds * (1 - 0.8 ** (j - 1)) * zero[digits - j]
            zero.append(mean)
        return nats(zero_or_any(float(np.mean(zero[1:])), MODULUS))

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        of_digits, of_signs = jax.random.split(key)
        count = (self.length + 1) // 2
        digits = jax.random.randint(of_digits, (count,), 0, MODULUS)
        signs = jax.random.randint(of_signs, (count,), 0, 3).at[0].set(0)  # before them

        def read(state, each):
            total, term = state
            k, sign, digit = each
            begun = jnp.stack([total + term, jnp.where(sign == 1, -digit, digit)])
            moved = jnp.where(sign == 2, jnp.stack([total, term * digit]), begun)
            return jnp.where(2 * k < n, moved % MODULUS, state), None

        each = jnp.arange(count), signs, digits
        sums, _ = jax.lax.scan(read, jnp.zeros(2, jnp.int32), each)
        symbols = jnp.stack([MODULUS + signs, digits], axis=1).ravel()[1:]
        return Word(symbols, (jnp.sum(sums) % MODULUS)[None], 1)
