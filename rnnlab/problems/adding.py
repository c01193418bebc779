"""The sum, or the product, of two numbers among many."""

import abc
import dataclasses

import jax
import jax.numpy as jnp

from rnnlab.problems import checks
from rnnlab.problems.problem import Draw, Numbers


@dataclasses.dataclass(frozen=True)
class Marked(Numbers):
    """Numbers, two of which are marked, one in each half of the sequence.

    x is a number uniform in [0, 1] and a mark, 0 or 1, a step.

    Attributes:
        steps: T.
    """

    steps: int

    def __post_init__(self):
        checks.least(self, "steps", 2)

    @property
    def inputs(self) -> int:
        """A number and a mark."""
        return 2

    @property
    def outputs(self) -> int:
        """One number."""
        return 1

    @abc.abstractmethod
    def answer(self, first: jax.Array, second: jax.Array) -> jax.Array:
        """Returns what is asked of the two marked numbers, [B] each."""

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        of_numbers, of_first, of_second = jax.random.split(key, 3)
        numbers = jax.random.uniform(of_numbers, (self.steps, rows))
        half, row = self.steps // 2, jnp.arange(rows)
        first = jax.random.randint(of_first, (rows,), 0, half)
        second = jax.random.randint(of_second, (rows,), half, self.steps)
        marks = jnp.zeros_like(numbers).at[first, row].set(1).at[second, row].set(1)
        y = self.answer(numbers[first, row], numbers[second, row])
        x = jnp.stack([numbers, marks], axis=-1)
        return Draw(x, y[None, :, None], jnp.ones((1, rows)))


@dataclasses.dataclass(frozen=True)
class Adding(Marked):
    """Two marked numbers among many; at the end, their sum.

    Attributes:
        steps: T.

    References:
        Hochreiter, Schmidhuber, Long short-term memory, 1997,
        https://doi.org/10.1162/neco.1997.9.8.1735
        Le, Jaitly, Hinton, A simple way to initialize recurrent networks of rectified
        linear units, 2015, https://arxiv.org/abs/1504.00941: in this form.
    """

    @property
    def floor(self) -> float:
        """1/6, the variance of the sum: the answer is always 1."""
        return 1 / 6

    def answer(self, first: jax.Array, second: jax.Array) -> jax.Array:
        """Returns the sum."""
        return first + second


@dataclasses.dataclass(frozen=True)
class Multiplication(Marked):
    """Two marked numbers among many; at the end, their product.

    Attributes:
        steps: T.

    References:
        Hochreiter, Schmidhuber, Long short-term memory, 1997,
        https://doi.org/10.1162/neco.1997.9.8.1735
    """

    @property
    def floor(self) -> float:
        """7/144, the variance of the product: the answer is always 1/4."""
        return 7 / 144

    def answer(self, first: jax.Array, second: jax.Array) -> jax.Array:
        """Returns the product."""
        return first * second
