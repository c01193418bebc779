"""What is learned: the one thing that the training loop asks of an experiment."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, Protocol

import jax

Params = Any
Memory = Any
Batch = Any


class Outcome(NamedTuple):
    """What a loss leaves behind.

    Attributes:
        memory: the carries after the batch, handed to the next one.
        weight: the number of targets that the loss is the mean of.
        rate: in training, a factor on the learning rate of this update.
        penalty: what the loss has beside the mean, which is shown without it.
    """

    memory: Memory
    weight: jax.Array
    rate: jax.Array | float = 1.0
    penalty: jax.Array | float = 0.0


class Task(Protocol):
    """Data, parameters and loss of an experiment."""

    @property
    def splits(self) -> Collection[str]:
        """The splits there are, of train, valid and test; train always."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """The batches of one pass over the training split."""
        ...

    def init(self, key: jax.Array) -> Params:
        """Draws the parameters."""
        ...

    def memory(self, split: str) -> Memory:
        """Returns the carries before the first batch of `split`, or ()."""
        ...

    def batches(self, split: str, start: int = 0) -> Iterator[Batch]:
        """Yields host arrays, from batch number `start` on.

        `train` goes on for ever and depends on `start` alone, so that the number of
        steps done is all there is to know of the position; other splits end after
        one pass.
        """
        ...

    def loss(
        self,
        params: Params,
        memory: Memory,
        batch: Batch,
        key: jax.Array,
        train: bool,
    ) -> tuple[jax.Array, Outcome]:
        """Returns the mean loss in nats a target, and what is left; pure."""
        ...
