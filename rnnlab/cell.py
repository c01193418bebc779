"""What a recurrent cell is: what one step computes, and the structure of that step.

The structure decides which engines can run a cell. Every engine runs a `Cell` or
says which one does; a `SplitCell` takes its weight gradients out of the time loop;
a `LinearCell` can run in parallel over time, a `PositiveCell` in log space too.

Axes, named once for the whole project:

    T  time, always first in a sequence      I  input features
    B  batch, any number of axes             H  features of the state
    V  vocabulary                            G  whatever a cell projects its input to

A sequence is [T, B, I]. A cell's own methods see [..., I]: any batch axes, no time.
"""

import abc
from typing import Any, ClassVar, Generic, TypeVar

import jax
import jax.numpy as jnp

Carry = TypeVar("Carry")
Params = Any


class Cell(abc.ABC, Generic[Carry]):
    """A recurrent step, as a frozen dataclass of hyperparameters that holds no arrays.

    Equal cells hash alike, so a jitted function that takes one as a static argument
    compiles once. `step` sees `u = project(x)` and never `x`: all that does not
    depend on the carry is computed for the whole sequence at once, as one product.

    Attributes:
        trained: whether the parameters get a gradient.
        rows_apart: whether a row's outcome does not depend on those beside it.
        units: whether all leaves of the carry are units' values, to each of which the
            same may be done; a clock, or an exponent of the others, is none.
    """

    trained: ClassVar[bool] = True
    rows_apart: ClassVar[bool] = True
    units: ClassVar[bool] = True

    @abc.abstractmethod
    def init(self, key: jax.Array, in_features: int) -> Params:
        """Draws the parameters, a dict of float32 arrays."""

    @abc.abstractmethod
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Carry:
        """Returns the carry before the first step, [*batch, H] for each array."""

    def start(
        self, params: Params, batch: tuple[int, ...], dtype: Any = jnp.float32
    ) -> Carry:
        """Returns the carry that a sequence starts from: `initial`, unless learned."""
        return self.initial(batch, dtype)

    def prepare(self, params: Params) -> Params:
        """Returns what the steps use of the parameters, made once before them.

        For most cells, the parameters; where a matrix of the step is a function of
        what is trained, that matrix. Engines call it; the methods below take what it
        returns.
        """
        return params

    @abc.abstractmethod
    def project(self, params: Params, x: jax.Array) -> Any:
        """Returns all that `x` gives without the carry: [..., I] -> [..., G]."""

    @abc.abstractmethod
    def step(self, params: Params, carry: Carry, u: Any) -> tuple[Carry, Any]:
        """Returns the next carry and the output [..., H] of one step."""


class SplitCell(Cell[Carry]):
    """A cell whose step is one product with the carry, then arithmetic.

    `recur` is linear in the parameters and all its products are there; `update` has
    none. An engine may then take the gradient of the recurrent weights for all steps
    at once. `recur` never sees the input; what the input says of the carry, that some
    of it is to be dropped, say, is done by `seen`.
    """

    def seen(self, params: Params, carry: Carry, u: Any) -> Carry:
        """Returns the carry as the recurrent product sees it; for cells, as it is."""
        return carry

    @abc.abstractmethod
    def recur(self, params: Params, carry: Carry) -> Any:
        """Returns the recurrent product, [..., H] -> [..., G], linear in `params`."""

    @abc.abstractmethod
    def update(self, params: Params, carry: Carry, u: Any, r: Any) -> tuple[Carry, Any]:
        """Returns carry and output from `u` (input) and `r` (recurrent), [..., G]."""

    def step(self, params: Params, carry: Carry, u: Any) -> tuple[Carry, Any]:
        """Returns the next carry and the output: the product, then the arithmetic."""
        r = self.recur(params, self.seen(params, carry, u))
        return self.update(params, carry, u, r)


class LinearCell(Cell[jax.Array]):
    """A cell whose state obeys h_t = a_t * h_{t-1} + b_t, a_t and b_t free of h."""

    @abc.abstractmethod
    def coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns `a` and `b`, each [..., H], from the projected input."""

    @abc.abstractmethod
    def readout(self, params: Params, h: jax.Array, u: Any) -> Any:
        """Returns the output of a step whose new state is `h`."""

    def step(self, params: Params, carry: jax.Array, u: Any) -> tuple[jax.Array, Any]:
        """Returns the next state and the output."""
        a, b = self.coefficients(params, u)
        h = a * carry + b
        return h, self.readout(params, h, u)


class PositiveCell(LinearCell):
    """A LinearCell whose a_t and b_t are positive, and known by their logarithms."""

    @abc.abstractmethod
    def log_coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns log a and log b, each [..., H], from the projected input."""

    def coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns `a` and `b`, each [..., H]."""
        log_a, log_b = self.log_coefficients(params, u)
        return jnp.exp(log_a), jnp.exp(log_b)
