"""minGRU and minLSTM with a positive candidate, so that they run on logarithms."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab.cell import Params, PositiveCell
from rnnlab.cells.linear import Gated
from rnnlab.cells.minlstm import log_odds


@dataclasses.dataclass(frozen=True)
class PositiveMinGRU(Gated, PositiveCell):
    """A minGRU whose candidate is g of what it was.

    z = sigmoid(W_z x_t + b_z);  n = g(W_n x_t + b_n);  y_t = h_t
    h_t = (1 - z) * h_{t-1} + z * n;  g(v) = v + 1/2 for v >= 0, else sigmoid(v)

    The columns stand in the order z, n.

    Attributes:
        features: H, the number of units.

    References:
        Feng et al., Were RNNs all we needed?, 2024, https://arxiv.org/abs/2410.01201
        (appendix B)
    """

    def log_coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns log(1 - z) and log(z * n), [..., H] each."""
        z, n = jnp.split(u, 2, axis=-1)
        return jax.nn.log_sigmoid(-z), jax.nn.log_sigmoid(z) + _log_g(n)


@dataclasses.dataclass(frozen=True)
class PositiveMinLSTM(Gated, PositiveCell):
    """A minLSTM whose candidate is g of what it was; g as in `PositiveMinGRU`.

    f, i = sigmoid(W x_t + b);  f' = f / (f + i);  i' = i / (f + i)
    h_t = f' * h_{t-1} + i' * g(W_h x_t + b_h);  y_t = h_t

    The columns stand in the order f, i, h.

    Attributes:
        features: H, the number of units.

    References:
        Feng et al., Were RNNs all we needed?, 2024, https://arxiv.org/abs/2410.01201
        (appendix B)
    """

    gates: ClassVar[int] = 3

    def log_coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns log f' and log(i' * g), [..., H] each."""
        f, i, n = jnp.split(u, 3, axis=-1)
        odds = log_odds(f, i)
        return jax.nn.log_sigmoid(odds), jax.nn.log_sigmoid(-odds) + _log_g(n)


def _log_g(v):
    """Returns log g(v); neither branch has a NaN in its gradient where it is unused."""
    return jnp.where(v >= 0, jnp.log(jnp.maximum(v, 0) + 0.5), jax.nn.log_sigmoid(v))
