"""Deterministic context-free languages: what an automaton with a stack can answer."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems.formal.expressions import LETTERS, TIMES, expression
from rnnlab.problems.formal.language import (
    MODULUS,
    Even,
    FormalLanguage,
    Word,
    nats,
    zero_or_any,
)

POP, END = 2, 2


@dataclasses.dataclass(frozen=True)
class ReverseString(Even):
    """What is a word of bits, read from its end? A = length."""

    alphabet = "01"
    classes = 2

    @property
    def places(self) -> int:
        """As many as the longest word has symbols."""
        return self.length

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        bits = jax.random.randint(key, (self.length,), 0, 2)
        return Word(bits, jnp.roll(bits[::-1], n - self.length), n)


@dataclasses.dataclass(frozen=True)
class StackManipulation(FormalLanguage):
    """What is left on a stack of bits, from its top, after pops (.) and pushes (o, i)?

    The word begins with the stack, of 1 to n - 1 bits, its top last; a pop of nothing
    does nothing, o pushes 0 and i pushes 1. A = length + 1: the bits, then an end (2).
    """

    alphabet = "01.oi"
    classes = 3

    @property
    def places(self) -> int:
        """As many as the longest word has symbols, and the end."""
        return self.length + 1

    @property
    def floor(self) -> float:
        """The entropy of an end against bits, which are as likely, place by place."""
        ends = np.sum([self._heights(n) for n in self.lengths], axis=0)
        bits = np.cumsum(ends[::-1])[::-1] - ends  # of the stacks that are higher
        return nats(np.stack([bits / 2, bits / 2, ends], axis=1))

    def _heights(self, n: int) -> np.ndarray:
        """Returns how likely each height is after a word of length n, [length + 1]."""
        most = max(n - 1, 1)  # bits of the stack that is given
        heights = np.zeros(self.places)
        for step in range(1, n + 1):
            moved = np.zeros(self.places)
            moved[1:] += heights[:-1] * 2 / 3
            moved[:-1] += heights[1:] / 3
            moved[0] += heights[0] / 3
            heights = moved
            if step <= most:
                heights[step] += 1 / most
        return heights

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        of_bits, of_actions, of_given = jax.random.split(key, 3)
        given = jax.random.randint(of_given, (), 1, jnp.maximum(n, 2))
        place = jnp.arange(self.length)
        bits = jax.random.randint(of_bits, (self.length,), 0, 2)
        actions = jax.random.randint(of_actions, (self.length,), POP, POP + 3)
        symbols = jnp.where(place < given, bits, actions)

        def act(state, each):
            stack, height = state
            t, symbol = each
            pushed = stack.at[height].set(symbol % (POP + 1))  # o and i are 3 and 4
            lower = jnp.maximum(height - 1, 0)
            acted = jnp.where(symbol == POP, lower, height + 1)
            return (pushed, jnp.where(t < n, acted, height)), None

        start = jnp.zeros(self.length, jnp.int32), jnp.int32(0)
        (stack, height), _ = jax.lax.scan(act, start, (place, symbols))
        from_top = height - 1 - jnp.arange(self.places)
        answers = jnp.where(from_top < 0, END, stack[from_top])
        return Word(symbols, answers, height + 1)


@dataclasses.dataclass(frozen=True)
class ModularArithmeticBrackets(FormalLanguage):
    """What is an expression of digits, +, -, * and brackets, modulo 5?"""

    alphabet = LETTERS
    classes = MODULUS

    @property
    def floor(self) -> float:
        """The entropy of the value, the length unknown.

        As 5 is prime, values that are not 0 are as likely as each other, so that a
        value is certainly 0 with some probability and else any of the five: never so
        for a digit, for a sum if both parts are, for a product if one of them is or,
        with 1/5 each, either of two that are any.
        """
        zero = [0.0] * (self.length + 1)  # by length
        for n in range(5, self.length + 1):
            for left in range(1, n - 3):
                a, b = zero[left], zero[n - 3 - left]
                product = 1 - (1 - a) * (1 - b) * 4 / 5
                zero[n] += (2 * a * b + product) / 3 / (n - 4)
        return nats(zero_or_any(float(np.mean(zero[1:])), MODULUS))

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        symbols, value = expression(key, self.length, n, signs=3)
        return Word(symbols, value[None], 1)


@dataclasses.dataclass(frozen=True)
class SolveEquation(Even):
    """Which digit is x in an expression of digits, +, - and brackets that equals one?

    The word is an expression with one digit hidden, =, and the value modulo 5.
    """

    alphabet = LETTERS[:TIMES] + "x="
    classes = MODULUS
    shortest = 3

    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""
        of_expression, of_place = jax.random.split(key)
        size = n - 2
        symbols, value = expression(of_expression, self.length, size, signs=2)
        place = jnp.arange(self.length)
        digits = (symbols < MODULUS) & (place < size)
        start = jax.random.randint(of_place, (), 0, size)
        hidden = jnp.argmin(jnp.where(digits, (place - start) % size, self.length))
        unknown, equals = TIMES, TIMES + 1
        equation = symbols.at[hidden].set(unknown).at[size].set(equals)
        return Word(equation.at[n - 1].set(value), symbols[hidden][None], 1)
