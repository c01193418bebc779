"""How the formal languages are laid out in time, and what a guess costs on them."""

import abc
import dataclasses
import math
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems import checks
from rnnlab.problems.problem import Classes, Draw

MODULUS = 5  # of all arithmetic here


class Word(NamedTuple):
    """One row: a word and its answers.

    Attributes:
        symbols: [length], int32, of which the first n are the word.
        answers: [A], int32.
        asked: how many of the answers count, from the first.
    """

    symbols: jax.Array
    answers: jax.Array
    asked: jax.Array | int


@dataclasses.dataclass(frozen=True)
class FormalLanguage(Classes):
    """A word of a formal language; after it, what follows from it.

    Each row has a length n of its own, uniform among `lengths`. x is one symbol a step:
    length - n times the padding, the n symbols of the word, A times the question, at
    which the answers are to be said. They are of the first places of the A; those after
    do not count. The padding is the symbol len(alphabet), the question the one after.

    A floor here is that of the best answer that knows the place among the A, and how
    lengths and words are drawn, but nothing of the row.

    Attributes:
        length: of the longest words.
        alphabet: of the words, each symbol as a letter.
        classes: that answers are of.

    Raises:
        ValueError: no word is as short as `length`.

    References:
        Delétang et al., Neural networks and the Chomsky hierarchy, 2022,
        https://arxiv.org/abs/2207.02098: all fifteen. There all rows of a batch are of
        one length, and words too short to ask anything of have a fixed answer; here
        there are none of these.
    """

    length: int

    alphabet: ClassVar[str]
    classes: ClassVar[int]
    shortest: ClassVar[int] = 1

    def __post_init__(self):
        checks.least(self, "length", self.shortest)

    @property
    def lengths(self) -> range:
        """The lengths of words, as likely each: from the shortest on, all."""
        return range(self.shortest, self.length + 1)

    @property
    def places(self) -> int:
        """A, the steps at which answers are said: one."""
        return 1

    @property
    def inputs(self) -> int:
        """The alphabet, the padding and the question."""
        return len(self.alphabet) + 2

    @property
    def outputs(self) -> int:
        """The classes of an answer."""
        return self.classes

    @abc.abstractmethod
    def word(self, key: jax.Array, n: jax.Array) -> Word:
        """Returns a word of length n, which is traced, and its answers."""

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        of_lengths, of_words = jax.random.split(key)
        n = jax.random.choice(of_lengths, jnp.asarray(self.lengths), (rows,))
        symbols, answers, asked = jax.vmap(self.word)(
            jax.random.split(of_words, rows), n
        )
        t = jnp.arange(self.length)[:, None] - (self.length - n)
        padding = len(self.alphabet)
        ids = jnp.where(t < 0, padding, symbols[jnp.arange(rows), jnp.maximum(t, 0)])
        questions = jnp.full((self.places, rows), padding + 1)
        x = jax.nn.one_hot(jnp.concatenate([ids, questions]), self.inputs)
        counts = jnp.arange(self.places)[:, None] < asked
        return Draw(x, answers.T, counts.astype(jnp.float32))


@dataclasses.dataclass(frozen=True)
class Even(FormalLanguage):
    """One all of whose answers are of classes as likely each, at each place."""

    @property
    def floor(self) -> float:
        """The logarithm of `classes`: all are as likely, whatever the length."""
        return math.log(self.classes)


def nats(table: np.ndarray) -> float:
    """Returns the floor: the entropy of answers, in the mean over those that count.

    Args:
        table: [A, classes], how often an answer is said at a place and counts, up to a
            factor that is the same for all.
    """
    counts = table.sum(axis=1, keepdims=True)
    share = np.divide(table, counts, out=np.ones_like(table), where=table > 0)
    return float(-np.sum(table * np.log(share)) / np.sum(table))


def zero_or_any(zero: float, classes: int) -> np.ndarray:
    """Returns the table of one answer: 0 with a probability, and else any class."""
    return zero * np.eye(classes)[:1] + (1 - zero) / classes
