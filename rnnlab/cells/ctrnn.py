"""A recurrence in continuous time, for steps that lie unevenly apart."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.activations import tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import DenseSplit


class Timed(NamedTuple):
    """An input `x` [..., I] and the time since the last step, `gap` [..., 1]."""

    x: jax.Array
    gap: jax.Array


class CTRNNInput(NamedTuple):
    """What a step takes of its input: W x + b, and the share that is kept, [..., H]."""

    drive: jax.Array
    kept: jax.Array


@dataclasses.dataclass(frozen=True)
class CTRNN(DenseSplit):
    """tau dh/dt = -h + tanh(W x + b + R h), with the tanh held during a step.

    h_t = k * h_{t-1} + (1 - k) * tanh(W x_t + b + R h_{t-1});  k = exp(-gap_t / tau)
    y_t = h_t

    The step is exact for a tanh that is held, so that any gap is stable. x is `Timed`,
    or an array, whose gaps are 1.

    Attributes:
        features: H, the number of units.

    References:
        Funahashi, Nakamura, Approximation of dynamical systems by continuous time
        recurrent neural networks, 1993, https://doi.org/10.1016/S0893-6080(05)80125-X
    """

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], recurrent [H, H], bias [H], log_tau [H], zeros."""
        params = super().init(key, in_features)
        return params | {"log_tau": jnp.zeros(self.features)}

    def project(self, params: Params, x: Any) -> CTRNNInput:
        """Returns W x + b and exp(-gap / tau), [..., H] each.

        Raises:
            ValueError: gaps that are not one a row.
        """
        if not isinstance(x, Timed):
            x = Timed(x, jnp.ones_like(x[..., :1]))
        if x.gap.shape != (*x.x.shape[:-1], 1):
            raise ValueError(
                f"CTRNN needs a gap for each row of x, [..., 1], got a gap of shape"
                f" {x.gap.shape} for x of shape {x.x.shape}; pass"
                f" Timed(x, gap[..., None]), say."
            )
        kept = jnp.exp(-x.gap * jnp.exp(-params["log_tau"]))
        return CTRNNInput(super().project(params, x.x), kept)

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        towards = tanh(u.drive + r)
        h = towards + u.kept * (carry - towards)
        return h, h
