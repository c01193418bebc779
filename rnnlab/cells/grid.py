"""What cells on a grid share: its checks, their parameters, the convolution.

Abstract: a cell names its `gates` and writes its equation.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.cell import Cell, Params
from rnnlab.cells import checks


@dataclasses.dataclass(frozen=True)
class Grid(Cell[Any]):
    """A state at each point of a grid, and gates that see a window of points.

    Attributes:
        features: H, the channels of the state.
        size: the points of the grid along each of its axes, one to three.
        window: the points that a gate sees along each axis, an odd number.
        gates: how many blocks of H columns the parameters have.
    """

    gates: ClassVar[int] = 1

    features: int
    size: tuple[int, ...]
    window: int = 3

    def __post_init__(self):
        checks.positive(self, "features", "window")
        kind = type(self).__name__
        sizes = isinstance(self.size, tuple) and 1 <= len(self.size) <= 3
        if not sizes or not all(isinstance(n, int) and n > 0 for n in self.size):
            raise ValueError(
                f"{kind} needs size to be a tuple of one to three positive ints, got"
                f" {self.size!r}; pass {kind}({self.features}, size=(16, 16)), say."
            )
        if self.window % 2 == 0:
            raise ValueError(
                f"{kind} needs a window with a middle, got window={self.window};"
                f" pass an odd number."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [*windows, I, G], recurrent [*windows, H, G], bias [G].

        G = gates H. Glorot uniform by gate, the window counted in.
        """
        windows = (self.window,) * len(self.size)
        glorot = jax.nn.initializers.glorot_uniform()
        of_x, of_h = jax.random.split(key)

        def drawn(key, channels):
            shape = (*windows, channels, self.features)
            return initializers.side_by_side(glorot, key, shape, count=self.gates)

        return {
            "kernel": drawn(of_x, in_features),
            "recurrent": drawn(of_h, self.features),
            "bias": jnp.zeros(self.gates * self.features),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns zeros, [*batch, *size, H]."""
        return jnp.zeros((*batch, *self.size, self.features), dtype)

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W * x + b, [..., *size, gates H].

        Raises:
            ValueError: x is on another grid.
        """
        grid = x.shape[-1 - len(self.size) : -1]
        if grid != self.size:
            raise ValueError(
                f"{self} needs x of shape [..., {', '.join(map(str, self.size))}, I],"
                f" got {x.shape}; make the cell with the size of the grid of x."
            )
        return self.convolve(x, params["kernel"]) + params["bias"]

    def convolve(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        """Returns the convolution over the grid, any axes before it."""
        axes = len(self.size)
        before = x.shape[: -axes - 1]
        letters = "XYZ"[:axes]
        y = jax.lax.conv_general_dilated(
            x.reshape(-1, *x.shape[-axes - 1 :]),
            kernel,
            window_strides=(1,) * axes,
            padding="SAME",
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        )
        return y.reshape(*before, *y.shape[1:])
