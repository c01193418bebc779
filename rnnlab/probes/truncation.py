"""What is lost by truncated backpropagation through time, beside the full gradient.

    bias(loss, Deferred(), cell, params, carry, x, windows=[5, 10, 20]).cosine

References:
    Williams, Peng, An efficient gradient-based algorithm for on-line training of
    recurrent network trajectories, 1990, https://doi.org/10.1162/neco.1990.2.4.490
    Tallec, Ollivier, Unbiasing truncated backpropagation through time, 2017,
    https://arxiv.org/abs/1705.08209
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.engines import Engine
from rnnlab.engines.engine import by_chunk
from rnnlab.probes.updates import norm
from rnnlab.sequences import run


@dataclasses.dataclass(frozen=True)
class Truncated:
    """Runs as an engine does, with a carry that passes no gradient every few steps.

    Attributes:
        engine: how the steps are executed.
        length: steps through which a gradient passes, at least 1.
    """

    runs: ClassVar[type[Cell[Any]]] = Cell

    engine: Engine
    length: int

    def __post_init__(self):
        if self.length < 1:
            raise ValueError(
                f"Truncated needs a length of at least 1, got {self.length}; for the"
                f" full gradient use the engine itself."
            )

    def __call__(
        self, cell: Cell[Any], params: Params, carry: Any, x: Any
    ) -> tuple[Any, Any]:
        """Returns the last carry and y [T, B, H], as the engine does."""

        def chunk(carry, x):
            return self.engine(cell, params, jax.lax.stop_gradient(carry), x)

        return by_chunk(chunk, carry, x, self.length)


class Bias(NamedTuple):
    """How a gradient g_k differs from the full one, g.

    Attributes:
        cosine: of the angle between them.
        distance: |g_k - g| / |g|.
    """

    cosine: jax.Array
    distance: jax.Array


def bias(
    loss: Callable[[Any, Any], jax.Array],
    engine: Engine,
    cell: Cell[Any],
    params: Params,
    carry: Any,
    x: Any,
    windows: Sequence[int],
    **marks: Any,
) -> Bias:
    """Returns what truncation to each number of steps does to d loss / d params.

    Each is [K], for the K windows.

    Args:
        loss: from the last carry and all outputs, a real number.
        engine: how the steps are executed: each gives the same.
        cell: any cell, wrapped or not.
        params: its parameters, of real numbers.
        carry: carry_0.
        x: [T, B, I].
        windows: steps through which a gradient passes; cuts count from the first step.
        **marks: `lengths`, `valid`, `reset` and `key`, as `rnnlab.sequences.run` has.
    """

    def gradient(engine):
        return jax.grad(
            lambda params: loss(*run(engine, cell, params, carry, x, **marks))
        )(params)

    return beside(gradient(engine), [gradient(Truncated(engine, k)) for k in windows])


def beside(full: Any, others: Sequence[Any]) -> Bias:
    """Returns how each of the other gradients differs from the full one, [K] each.

    Both are NaN where the full gradient is zero, the cosine where the other one is.
    """

    def one(other):
        pairs = zip(jax.tree.leaves(full), jax.tree.leaves(other), strict=True)
        product = sum(jnp.sum(a * b) for a, b in pairs)
        apart = norm(jax.tree.map(jnp.subtract, other, full))
        return Bias(product / (norm(full) * norm(other)), apart / norm(full))

    return jax.tree.map(lambda *each: jnp.stack(each), *map(one, others))
