"""What a language model is made of: layers that carry something, and an output."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax

from rnnlab.cell import Cell
from rnnlab.engines import Engine


class Layers(Protocol):
    """A Flax module between embedding and output, `rnnlab.nn.Stack` say.

    What it carries is all it remembers of the tokens before: two windows, one after
    the other, give what both give in one.
    """

    @property
    def dropout(self) -> float | jax.Array:
        """The share of values set to zero in training."""
        ...

    @property
    def initial(self) -> Callable[..., Any]:
        """(batch axes, dtype) -> the carries before the first token: [B, ...] each."""
        ...

    def __call__(
        self, carries: Any, x: jax.Array, train: bool = False
    ) -> tuple[Any, jax.Array]:
        """Returns the carries after, and y: [T, B, E] -> [T, B, H]."""
        ...


@runtime_checkable
class Recurring(Protocol):
    """Layers that are made of cells."""

    @property
    def cells(self) -> tuple[Cell[Any], ...]:
        """One a layer, from the input up."""
        ...

    @property
    def engine(self) -> Engine:
        """How the steps of each are executed."""
        ...


class Output(Protocol):
    """A Flax module from features to a distribution over the vocabulary.

    `table` is the embedding, [V, E], for outputs that are tied to it.
    """

    @property
    def vocab_size(self) -> int:
        """V."""
        ...

    @property
    def logits(self) -> Callable[..., jax.Array]:
        """(h, table) -> log-probabilities up to a constant: [..., H] -> [..., V]."""
        ...

    @property
    def nats(self) -> Callable[..., jax.Array]:
        """(h, targets, table, train) -> what each target costs: [..., H] -> [...].

        In training it may be another figure, such as an estimate.
        """
        ...
