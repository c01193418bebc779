"""Symbols that are to be said again, in their order, after a lag."""

import abc
import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems import checks
from rnnlab.problems.problem import Classes, Draw


@dataclasses.dataclass(frozen=True)
class Copied(Classes):
    """Symbols, the items, which are asked for in their order after a cue.

    x is one of symbols + 2 a step: 0 to symbols - 1, a blank (`symbols`), and a cue
    (`symbols + 1`). Where a blank is the answer it counts in the loss, but a row has
    failed only for an item: see `misses`.

    Attributes:
        lag: steps between the items and their answers; see the classes.
        items: how many symbols are to be kept.
        symbols: how many there are to choose from.
    """

    lag: int
    items: int = 10
    symbols: int = 8

    def __post_init__(self):
        checks.least(self, "lag", 1)
        checks.least(self, "items", 1)
        checks.least(self, "symbols", 2)

    @property
    def inputs(self) -> int:
        """The symbols, the blank and the cue."""
        return self.symbols + 2

    @property
    def outputs(self) -> int:
        """The symbols and the blank."""
        return self.symbols + 1

    def misses(self, said: jax.Array, y: jax.Array) -> jax.Array:
        """Returns where an item is not the highest score, never so for a blank."""
        return super().misses(said, y) & (y < self.symbols)

    @abc.abstractmethod
    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""

    def items_of(self, key: jax.Array, rows: int) -> jax.Array:
        """Returns items as likely each, [items, rows]."""
        return jax.random.randint(key, (self.items, rows), 0, self.symbols)


@dataclasses.dataclass(frozen=True)
class Copy(Copied):
    """Items, blanks for a lag, and the items again; the answer is blank until then.

    T = lag + 2 * items: the items, lag - 1 blanks, the cue, and as many blanks as there
    are items, at which these are the answers. Each step has an answer: A = T.

    The noiseless memorization of earlier work is the same with other numbers, its
    distractor the blank of here: `five_bit`, `twenty_bit`.

    References:
        Hochreiter, Schmidhuber, Long short-term memory, 1997,
        https://doi.org/10.1162/neco.1997.9.8.1735
        Arjovsky, Shah, Bengio, Unitary evolution recurrent neural networks, 2016,
        https://arxiv.org/abs/1511.06464: in this form.
    """

    @property
    def floor(self) -> float:
        """Blanks, then any symbol: items * ln(symbols) / T."""
        return self.items * math.log(self.symbols) / (self.lag + 2 * self.items)

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        return _copied(self, self.items_of(key, rows), jnp.full(rows, self.lag))


@dataclasses.dataclass(frozen=True)
class VariableCopy(Copied):
    """`Copy` with a lag that is another in each row, uniform from 1 to `lag`.

    T = lag + 2 * items for all rows. What is missing to it stands as blanks at the end
    of a row, and their answers do not count.

    References:
        Tallec, Ollivier, Can recurrent neural networks warp time?, 2018,
        https://arxiv.org/abs/1804.11188
    """

    @property
    def floor(self) -> float:
        """The mean entropy of the answers, step by step, over the lags there are."""
        steps = np.arange(self.lag + 2 * self.items)
        lags = np.arange(1, self.lag + 1)[:, None]
        blank = np.mean(steps < self.items + lags, axis=0)
        items = np.mean(steps < 2 * self.items + lags, axis=0) - blank
        counts = blank + items
        nats = items * np.log(self.symbols) + counts * np.log(counts)
        nats -= sum(p * np.log(np.where(p > 0, p, 1)) for p in (blank, items))
        return float(np.sum(nats) / np.sum(counts))

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        of_items, of_lags = jax.random.split(key)
        lags = jax.random.randint(of_lags, (rows,), 1, self.lag + 1)
        return _copied(self, self.items_of(of_items, rows), lags)


@dataclasses.dataclass(frozen=True)
class SelectiveCopy(Copied):
    """Items at random places among blanks, and then in their order.

    T = lag + items: `lag` steps, `items` of which, any, hold one and the others a
    blank; then the cue once for each item, at which these are the answers. A = items.

    Raises:
        ValueError: more items than steps to stand in.

    References:
        Gu, Dao, Mamba: Linear-time sequence modeling with selective state spaces, 2023,
        https://arxiv.org/abs/2312.00752
    """

    def __post_init__(self):
        super().__post_init__()
        checks.least(self, "lag", self.items)

    @property
    def outputs(self) -> int:
        """The symbols; no answer is blank."""
        return self.symbols

    @property
    def floor(self) -> float:
        """The logarithm of `symbols`: all are as likely at each answer."""
        return math.log(self.symbols)

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        of_items, of_places = jax.random.split(key)
        items = self.items_of(of_items, rows)
        order = jax.random.uniform(of_places, (self.lag, rows)).argsort(axis=0)
        places = jnp.sort(order[: self.items], axis=0)
        ids = jnp.full((self.lag, rows), self.symbols)
        ids = ids.at[places, jnp.arange(rows)].set(items)
        ids = jnp.concatenate([ids, jnp.full(items.shape, self.symbols + 1)])
        x = jax.nn.one_hot(ids, self.inputs)
        return Draw(x, items, jnp.ones(items.shape))


def five_bit(lag: int) -> Copy:
    """Returns the 5-bit memory problem: 5 of 2 symbols.

    References:
        Jaeger, Long short-term memory in echo state networks: details of a simulation
        study, 2012, https://www.ai.rug.nl/minds/uploads/2478_Jaeger12.pdf
    """
    return Copy(lag, items=5, symbols=2)


def twenty_bit(lag: int) -> Copy:
    """Returns the 20-bit memory problem: 10 of 5 symbols; see `five_bit`."""
    return Copy(lag, items=10, symbols=5)


def _copied(problem: Copied, items: jax.Array, lags: jax.Array) -> Draw:
    """Returns the draw of items, [items, B], that come again after lags, [B]."""
    count, blank = problem.items, problem.symbols
    t = jnp.arange(problem.lag + 2 * count)[:, None]
    row = jnp.arange(len(lags))
    ids = jnp.full((len(t), len(lags)), blank)
    x = ids.at[:count].set(items).at[count - 1 + lags, row].set(blank + 1)
    y = ids.at[jnp.arange(count)[:, None] + count + lags, row].set(items)
    counts = (t < 2 * count + lags).astype(jnp.float32)
    return Draw(jax.nn.one_hot(x, problem.inputs), y, counts)
