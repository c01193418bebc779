"""One recurrent layer, forward and backward: rnnlab's and those of five libraries."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from launch import peers
from launch.outcome import Outcome
from launch.turns import Yardsticks
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
    libraries = peers.load("layers", "flax", "nnx", "haiku", "equinox", "torch")
    yardsticks = Yardsticks(libraries["torch"].product())
    rows = []
    for cell, shape in [(cell, shape) for cell in GATES for shape in shapes]:
        size = (2, shape.steps, shape.batch, shape.features)
        x, w = np.random.default_rng(0).standard_normal(size, np.float32)
        runs = {
            name: functools.partial(run, params)
            for name, side in sides(libraries).items()
            for params, run in [side(cell, x, w)]
        }
        taken, operation = yardsticks.in_turns(runs, repeats, SECONDS)
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
    return Outcome("\n".join(lines))


def sides(libraries) -> dict[str, Side]:
    """Returns what is compared, by name; `libraries` are modules of `launch.peers`."""
    by_jax = {"rnnlab": ours} | {
        name: library.layer for name, library in libraries.items() if name != "torch"
    }
    made = {name: compiled(layer) for name, layer in by_jax.items()}
    return made | {"torch": libraries["torch"].side}


def compiled(layer: Callable[[str, jax.Array], tuple[Any, Any]]) -> Side:
    """Returns the side of a layer in JAX: of parameters, and y of them and x."""

    def side(cell, x, w):
        x, w = jnp.asarray(x), jnp.asarray(w)
        params, apply = layer(cell, x)
        run = gradients(apply)
        return params, lambda params: jax.block_until_ready(run(params, x, w))

    return side


def gradients(apply: Callable[[Any, jax.Array], jax.Array]) -> Any:
    """Returns the jitted function of params, x and w that a step is.

    It gives the sum of y * w, and its gradients by params and x.
    """

    def loss(params, x, w):
        return (apply(params, x) * w).sum()

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))


def ours(cell: str, x: jax.Array) -> tuple[Any, Any]:
    """Returns rnnlab's parameters, and y of (parameters, x): [T, B, H] -> [T, B, H]."""
    _, batch, features = x.shape
    kind = CELLS[cell](features)
    engine = auto(kind)
    params = kind.init(jax.random.key(0), features)
    return params, lambda params, x: engine(kind, params, kind.initial((batch,)), x)[1]
