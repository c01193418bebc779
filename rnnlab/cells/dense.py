"""What cells of dense gates share: how they begin and what they take of the input.

Abstract: a cell names its `gates` and writes its equation.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.cell import Cell, Params, SplitCell
from rnnlab.cells import checks


@dataclasses.dataclass(frozen=True)
class Dense(Cell[Any]):
    """A state of one array, and gates that see the input through one matrix.

    Attributes:
        features: H, the number of units.
        gates: how many blocks of H columns the parameters have.
    """

    gates: ClassVar[int] = 1

    features: int

    def __post_init__(self):
        checks.positive(self, "features")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, gates H], recurrent [H, gates H], bias [gates H]."""
        return initializers.gates(key, in_features, self.features, self.gates)

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns zeros, [*batch, H]."""
        return jnp.zeros((*batch, self.features), dtype)

    def project(self, params: Params, x: Any) -> Any:
        """Returns W x + b, [..., gates H]."""
        return x @ params["kernel"] + params["bias"]


@dataclasses.dataclass(frozen=True)
class DenseSplit(Dense, SplitCell[Any]):
    """One whose gates all see the state through one matrix, before anything else."""

    def recur(self, params: Params, carry: Any) -> Any:
        """Returns R h, [..., gates H]."""
        return carry @ params["recurrent"]


class LSTMCarry(NamedTuple):
    """The memory `c` and the output `h`, each [..., H]."""

    c: jax.Array
    h: jax.Array


@dataclasses.dataclass(frozen=True)
class DenseMemory(DenseSplit):
    """One with a memory beside its output, and a forget gate as its second block.

    Attributes:
        features: H, the number of units.
        forget_bias: initial bias of the forget gate; 1 keeps the memory at first.
    """

    gates: ClassVar[int] = 4

    forget_bias: float = 1.0

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 4H], recurrent [H, 4H], bias [4H]."""
        params = super().init(key, in_features)
        forget = slice(self.features, 2 * self.features)
        return params | {"bias": params["bias"].at[forget].set(self.forget_bias)}

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> LSTMCarry:
        """Returns zeros for `c` and `h`, [*batch, H] each."""
        shape = (*batch, self.features)
        return LSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def recur(self, params: Params, carry: LSTMCarry) -> jax.Array:
        """Returns R h, [..., 4H]."""
        return carry.h @ params["recurrent"]
