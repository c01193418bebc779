"""In which order did two, or three, symbols come?"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnnlab.problems import checks
from rnnlab.problems.problem import Classes, Draw

PLACES = {2: ((1, 2), (4, 5)), 3: ((1, 2), (3, 4), (6, 7))}  # from, to; tenths of T


@dataclasses.dataclass(frozen=True)
class TemporalOrder(Classes):
    """Noise with 2 or 3 symbols of interest in it, A or B; at the end, their order.

    x is one of six symbols a step: A, B, and four of noise. Symbols of interest stand
    somewhere in the second and the fifth tenth of the sequence (or, of three, the
    second, fourth and seventh). The answer at the last step is one of 4 (or 8) orders,
    the first symbol as the highest binary digit, A as 0.

    Attributes:
        steps: T.
        symbols: of interest, 2 or 3.
        shortest: rows are of this length to T, uniform, after blank steps (x of zeros);
            None for all of length T.

    References:
        Hochreiter, Schmidhuber, Long short-term memory, 1997,
        https://doi.org/10.1162/neco.1997.9.8.1735
        Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural
        networks, 2013, https://arxiv.org/abs/1211.5063: these places.
    """

    steps: int
    symbols: int = 2
    shortest: int | None = None

    def __post_init__(self):
        checks.one_of(self, "symbols", PLACES)
        checks.least(self, "steps", 10)
        if self.shortest is not None:
            checks.least(self, "shortest", 10)
            checks.least(self, "steps", self.shortest)

    @property
    def inputs(self) -> int:
        """A, B and four symbols of noise."""
        return 6

    @property
    def outputs(self) -> int:
        """2 ** symbols, the orders there are."""
        return 2**self.symbols

    @property
    def floor(self) -> float:
        """The logarithm of `outputs`: all orders are as likely."""
        return self.symbols * math.log(2)

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        of_length, of_noise, of_symbols, *of_places = jax.random.split(
            key, 3 + self.symbols
        )
        shortest = self.steps if self.shortest is None else self.shortest
        length = jax.random.randint(of_length, (rows,), shortest, self.steps + 1)
        blank = self.steps - length
        ids = jax.random.randint(of_noise, (self.steps, rows), 2, 6)
        bits = jax.random.randint(of_symbols, (self.symbols, rows), 0, 2)
        for bit, of_place, (low, high) in zip(
            bits, of_places, PLACES[self.symbols], strict=True
        ):
            first, last = low * length // 10, high * length // 10
            place = blank + jax.random.randint(of_place, (rows,), first, last)
            ids = ids.at[place, jnp.arange(rows)].set(bit)
        order = jnp.zeros(rows, jnp.int32)
        for bit in bits:
            order = 2 * order + bit
        ids = jnp.where(jnp.arange(self.steps)[:, None] < blank, -1, ids)
        return Draw(jax.nn.one_hot(ids, self.inputs), order[None], jnp.ones((1, rows)))
