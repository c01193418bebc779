"""Which symbol was marked, a number of steps ago?"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnnlab.problems import checks
from rnnlab.problems.problem import Classes, Draw


@dataclasses.dataclass(frozen=True)
class DelayedRecall(Classes):
    """Symbols, one of which is marked; at the end, which symbol that was.

    x is one of `symbols` symbols and a mark, 0 or 1, a step. The mark stands exactly
    `lag` steps before the last step, where the symbol is asked for. T and the lag are
    set apart: with the same T, only how far back the answer lies changes.

    Attributes:
        steps: T.
        lag: steps from the mark to the end, 1 to T - 1.
        symbols: how many there are.

    Raises:
        ValueError: the mark would stand at the end, or before the first step.
    """

    steps: int
    lag: int
    symbols: int = 8

    def __post_init__(self):
        checks.least(self, "steps", 2)
        checks.least(self, "lag", 1)
        checks.least(self, "symbols", 2)
        if self.lag >= self.steps:
            raise ValueError(
                f"DelayedRecall needs lag to be less than steps, got lag={self.lag} and"
                f" steps={self.steps}; pass steps={self.lag + 1} or more."
            )

    @property
    def inputs(self) -> int:
        """The symbols and the mark."""
        return self.symbols + 1

    @property
    def outputs(self) -> int:
        """The symbols."""
        return self.symbols

    @property
    def floor(self) -> float:
        """The logarithm of `symbols`: all are as likely."""
        return math.log(self.symbols)

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        place = self.steps - 1 - self.lag
        ids = jax.random.randint(key, (self.steps, rows), 0, self.symbols)
        marks = jnp.zeros((self.steps, rows, 1)).at[place].set(1)
        x = jnp.concatenate([jax.nn.one_hot(ids, self.symbols), marks], axis=-1)
        return Draw(x, ids[place][None], jnp.ones((1, rows)))
