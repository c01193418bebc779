"""What linear cells share: how they begin and what they take of the input.

Abstract: a cell names its `gates` and gives the coefficients.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.cell import LinearCell, Params
from rnnlab.cells import checks
from rnnlab.cells.precision import complex_zeros


@dataclasses.dataclass(frozen=True)
class Gated(LinearCell):
    """A real state, its own output, and gates that see the input alone.

    Attributes:
        features: H, the number of units.
        gates: how many blocks of H columns the parameters have.
    """

    gates: ClassVar[int] = 2

    features: int

    def __post_init__(self):
        checks.positive(self, "features")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, gates H], bias [gates H]."""
        glorot = jax.nn.initializers.glorot_uniform()
        shape = (in_features, self.features)
        return {
            "kernel": initializers.side_by_side(glorot, key, shape, self.gates),
            "bias": jnp.zeros(self.gates * self.features),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Returns zeros, [*batch, H]."""
        return jnp.zeros((*batch, self.features), dtype)

    def project(self, params: Params, x: jax.Array) -> Any:
        """Returns W x + b, [..., gates H]."""
        return x @ params["kernel"] + params["bias"]

    def readout(self, params: Params, h: jax.Array, u: Any) -> jax.Array:
        """Returns h."""
        return h


class DiagonalInput(NamedTuple):
    """What a step takes of its input: b, complex, and D x, real; [..., H] each."""

    state: jax.Array
    skip: jax.Array


@dataclasses.dataclass(frozen=True)
class Diagonal(LinearCell):
    """A complex state, diagonal in its recurrence, and a real output.

    The real parts stand before the imaginary ones, in the columns of `kernel` (B) and
    in the rows of `readout` (C, the imaginary ones with the sign turned).

    Attributes:
        features: H, the number of complex units, and of outputs.
    """

    features: int

    def __post_init__(self):
        checks.positive(self, "features")

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Returns zeros, [*batch, H], complex: of double precision for float64."""
        return complex_zeros((*batch, self.features), dtype)

    def readout(self, params: Params, h: jax.Array, u: DiagonalInput) -> jax.Array:
        """Returns Re(C h) + D x, [..., H]."""
        parts = jnp.concatenate([h.real, h.imag], axis=-1).astype(u.skip.dtype)
        return parts @ params["readout"] + u.skip
