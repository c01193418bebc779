"""A long short-term memory with batch normalisation, to evaluate it by."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.cell import Params
from rnnlab.cells.batch_norm import (
    BatchNormalised,
    BatchNormLSTM,
    advance,
    moments,
    normalised,
)


class FrozenCarry(NamedTuple):
    """The memory `c` and the output `h`, [..., H], and the `step`, [..., 1]."""

    c: jax.Array
    h: jax.Array
    step: jax.Array


@dataclasses.dataclass(frozen=True)
class FrozenBatchNormLSTM(BatchNormalised):
    """A BatchNormLSTM that normalises by statistics which it holds: for evaluation.

    The equations of `BatchNormLSTM`, where mean and variance are parameters, one set
    for each step; beyond their last step, the last. They come from `population`. The
    step counts in the carry's dtype: in bfloat16 none beyond the 257th is reached.

    Attributes:
        features: H, the number of units.
        forget_bias: initial bias of the forget gate.

    References:
        Cooijmans et al., Recurrent batch normalization, 2017,
        https://arxiv.org/abs/1603.09025
    """

    units: ClassVar[bool] = False

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns those of `BatchNormLSTM`, means of 0 and variances of 1.

        `kernel_mean`, `kernel_variance`, `recurrent_mean`, `recurrent_variance`
        [1, 4H], `memory_mean`, `memory_variance` [1, H].
        """
        params = super().init(key, in_features)
        for name in ("kernel", "recurrent", "memory"):
            ones = jnp.ones((1, *params[f"{name}_scale"].shape))
            params |= {f"{name}_mean": 0 * ones, f"{name}_variance": ones}
        return params

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns zeros for `c` and `h`, [*batch, H], and the step, [*batch, 1]."""
        return FrozenCarry(
            *super().initial(batch, dtype), jnp.zeros((*batch, 1), dtype)
        )

    def update(self, params, carry, u, r):
        """Returns the new memory, output and step; the output is also y."""
        last = len(params["memory_mean"]) - 1
        t = jnp.minimum(carry.step, last)

        def norm(name, a):
            at = t[..., 0].astype(jnp.int32)
            return normalised(
                a, params[f"{name}_mean"][at], params[f"{name}_variance"][at]
            )

        (c, h), y = advance(params, carry, u, r, norm)
        return FrozenCarry(c, h, t + 1), y


def population(cell: BatchNormLSTM, params: Params, carry: Any, x: jax.Array) -> Params:
    """Returns parameters for `FrozenBatchNormLSTM`, with the statistics of this batch.

    Means and variances [T, ...] for each of the T steps of x. For those of several
    batches, take the mean over what this returns for each.

    Args:
        cell: as it was trained.
        params: its parameters.
        carry: the state before the first step.
        x: [T, B, I].
    """
    own = cell.prepare(params)

    def step(carry, u):
        found = {}

        def norm(name, a):
            mean, variance = moments(a)
            found.update({f"{name}_mean": mean, f"{name}_variance": variance})
            return normalised(a, mean, variance)

        carry, _ = advance(own, carry, u, cell.recur(own, carry), norm)
        return carry, found

    _, found = jax.lax.scan(step, carry, cell.project(own, x))
    return {**params, **found}
