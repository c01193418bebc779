"""What a toy problem is: sequences drawn by a key, what should be said, and its floor.

A problem is a frozen dataclass of its hyperparameters. It holds no arrays and draws
new sequences inside a jitted step, as many as are wanted. What should be said at the
last A steps is all that counts; T and A are the same for all draws of a problem.
"""

import abc
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class Draw(NamedTuple):
    """A batch of sequences.

    Attributes:
        x: [T, B, I], float32.
        y: what should be said at the last A steps: [A, B] int32, or [A, B, O] float32.
        counts: [A, B], float32: how much each answer counts; 0 for not at all.
    """

    x: jax.Array
    y: jax.Array
    counts: jax.Array


class Problem(abc.ABC):
    """Sequences and answers; see `Classes` and `Numbers` for how they are judged."""

    @property
    @abc.abstractmethod
    def inputs(self) -> int:
        """I, the features of a step."""

    @property
    @abc.abstractmethod
    def outputs(self) -> int:
        """O, what a network says at a step: the scores of classes, or numbers."""

    @property
    @abc.abstractmethod
    def floor(self) -> float:
        """The least loss without a memory: of the best answer that knows no input."""

    @abc.abstractmethod
    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""

    @abc.abstractmethod
    def losses(self, said: jax.Array, y: jax.Array) -> jax.Array:
        """Returns the loss of each answer, [A, B], from what was said, [A, B, O]."""

    @abc.abstractmethod
    def misses(self, said: jax.Array, y: jax.Array) -> jax.Array:
        """Returns which answers are wrong, bool [A, B]."""

    def loss(self, said: jax.Array, draw: Draw) -> jax.Array:
        """Returns the mean loss of the answers that count.

        Args:
            said: [A, B, O], or of more steps, of which the last A are taken.
            draw: the sequences that it answers.
        """
        losses = self.losses(said[-len(draw.y) :], draw.y)
        return jnp.sum(losses * draw.counts) / jnp.sum(draw.counts)

    def failed(self, said: jax.Array, draw: Draw) -> jax.Array:
        """Returns the rows with a wrong answer that counts, bool [B]; see `loss`."""
        misses = self.misses(said[-len(draw.y) :], draw.y)
        return jnp.any(misses & (draw.counts > 0), axis=0)


class Classes(Problem):
    """One whose answers are classes: cross entropy in nats; wrong is another class."""

    def losses(self, said: jax.Array, y: jax.Array) -> jax.Array:
        """Returns the nats of each answer, [A, B]."""
        return optax.softmax_cross_entropy_with_integer_labels(said, y)

    def misses(self, said: jax.Array, y: jax.Array) -> jax.Array:
        """Returns where the highest score is not that of the class, bool [A, B]."""
        return jnp.argmax(said, axis=-1) != y


class Numbers(Problem):
    """One whose answers are numbers: squared error; wrong is one above 0.04.

    References:
        Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural
        networks, 2013, https://arxiv.org/abs/1211.5063: the bound.
    """

    def losses(self, said: jax.Array, y: jax.Array) -> jax.Array:
        """Returns the squared error of each answer, [A, B]."""
        return jnp.sum((said - y) ** 2, axis=-1)

    def misses(self, said: jax.Array, y: jax.Array) -> jax.Array:
        """Returns where the squared error is above 0.04, bool [A, B]."""
        return self.losses(said, y) > 0.04
