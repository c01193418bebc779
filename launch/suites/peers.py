"""One recurrent layer, forward and backward: rnnlab's beside those of five others."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from launch.measuring import layer
from launch.measuring.layer import gradients
from launch.measuring.outcome import Outcome, beside_rnnlab
from launch.measuring.turns import Run, Yardsticks
from launch.peers import load
from rnnlab.cells import CELLS
from rnnlab.engines import auto

GATES = {"lstm": 4, "gru": 3}
SECONDS = 0.2  # what each side gets of a turn

# From cell, x and w, [T, B, H] each, to parameters and the function of them to time.
Side = Callable[[str, np.ndarray, np.ndarray], tuple[Any, Callable[[Any], Any]]]


class Shape(NamedTuple):
    """A layer and its input, as wide as the layer, in the letters of `rnnlab.cell`."""

    batch: int
    steps: int
    features: int

    def __str__(self) -> str:
        return "{}, {}, {}".format(*self)

    def operations(self, cell: str) -> int:
        """Returns the additions and multiplications of all products.

        They are those with the input and with the state, each of them forward, and
        backward towards its weights and towards what these were multiplied with.
        """
        weights = (self.features + self.features) * GATES[cell] * self.features
        return 3 * 2 * self.batch * self.steps * weights


SHAPES = (
    Shape(batch=32, steps=100, features=128),
    Shape(batch=32, steps=100, features=256),
    Shape(batch=64, steps=70, features=512),
    Shape(batch=20, steps=35, features=650),
    Shape(batch=20, steps=35, features=1500),
    Shape(batch=1, steps=1000, features=256),
    Shape(batch=128, steps=50, features=512),
)


def measure(repeats: int, shapes: Sequence[Shape] = SHAPES) -> Outcome:
    """Returns milliseconds, from `repeats` turns of each side.

    Raises:
        InputError: a library to compare with is not installed.
    """
    libraries = load("peers", "flax", "nnx", "haiku", "equinox", "torch")
    yardsticks = Yardsticks(libraries["torch"].product())
    rows, measurements = [], []
    for cell, shape in [(cell, shape) for cell in GATES for shape in shapes]:
        layers = beside(libraries).items()
        runs = {name: ready(side, cell, shape) for name, side in layers}
        taken, operation = yardsticks.in_turns(runs, repeats, SECONDS)
        measurements += beside_rnnlab({"cell": cell, "shape": str(shape)}, taken)
        for name in runs:
            low, middle, high = np.quantile(taken[name] * 1e3, (0.25, 0.5, 0.75))
            ratio = np.median(taken[name] / taken["rnnlab"])
            floors = np.median(taken[name] / (shape.operations(cell) * operation))
            rows.append(
                f"| {cell} | {shape} | {name} | {middle:.1f} | {low:.1f} to {high:.1f}"
                f" | {ratio:.2f} | {floors:.1f} |"
            )
    lines = [
        f"Milliseconds of one recurrent layer, forward and backward towards all"
        f" parameters and the input; float32, time first, from a carry of zeros,"
        f" the cotangent of y given. Medians and quartiles of {repeats} turns."
        f" haiku's GRU has the reset gate before the product and so two products"
        f" a step; the others, rnnlab's too, have one. nnx's has no bias in that gate.",
        "",
        f"The floor is all matrix products of forward and backward at the rate of a"
        f" product of 2048 x 2048. {yardsticks.describe()}",
        "",
        "| cell | B, T, H | code | ms | quartiles | rnnlab is faster by"
        " | times the floor |",
        "|---|---|---|--:|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def sides() -> Mapping[str, Callable[[], Run]]:
    """Returns what makes rnnlab's layer ready, by cell and shape."""
    return {
        f"{cell} {shape}": functools.partial(ready, compiled(ours), cell, shape)
        for cell in GATES
        for shape in SHAPES
    }


def ready(side: Side, cell: str, shape: Shape) -> Run:
    """Returns a side's step on normal input."""
    size = (2, shape.steps, shape.batch, shape.features)
    x, w = np.random.default_rng(0).standard_normal(size, np.float32)
    params, run = side(cell, x, w)
    return functools.partial(run, params)


def beside(libraries) -> dict[str, Side]:
    """Returns what is compared, by name; `libraries` are modules of `launch.peers`."""
    by_jax = {"rnnlab": ours} | {
        name: library.layer for name, library in libraries.items() if name != "torch"
    }
    made = {name: compiled(make) for name, make in by_jax.items()}
    return made | {"torch": libraries["torch"].side}


def compiled(make: Callable[[str, jax.Array], tuple[Any, Any]]) -> Side:
    """Returns the side of a layer in JAX: of parameters, and y of them and x."""

    def side(cell, x, w):
        x, w = jnp.asarray(x), jnp.asarray(w)
        params, apply = make(cell, x)
        run = gradients(apply)
        return params, lambda params: jax.block_until_ready(run(params, x, w))

    return side


def ours(cell: str, x: jax.Array) -> tuple[Any, Any]:
    """Returns rnnlab's parameters, and y of (parameters, x): [T, B, H] -> [T, B, H]."""
    kind = CELLS[cell](x.shape[-1])
    return kind.init(jax.random.key(0), x.shape[-1]), layer.on(auto(kind), kind)
