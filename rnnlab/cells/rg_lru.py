"""Real-gated linear recurrent unit: the recurrence of Griffin."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid
from rnnlab.cell import Params
from rnnlab.cells.linear import Gated

SHARPNESS = 8.0


@dataclasses.dataclass(frozen=True)
class RGLRU(Gated):
    """A decay of its own for each unit, which a gate draws towards one.

    x'_t = W x_t + b;  r, i = sigmoid(W_g x'_t + b_g)
    a_t = sigmoid(Lambda)^(8 r)
    h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * (i * x'_t);  y_t = h_t

    W is the linear layer before the unit, in the paper a part of the block. The
    columns of `gates` (W_g) stand in the order r, i; `decay` is Lambda.

    Attributes:
        features: H, the number of units.
        smallest: the least a_t of an open gate, r = 1, at the start.
        largest: the greatest.

    References:
        De et al., Griffin: mixing gated linear recurrences with local attention for
        efficient language models, 2024, https://arxiv.org/abs/2402.19427
    """

    smallest: float = 0.9
    largest: float = 0.999

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.smallest < self.largest < 1:
            raise ValueError(
                f"RGLRU needs 0 < smallest < largest < 1, got smallest="
                f"{self.smallest!r} and largest={self.largest!r}; leave them out for"
                f" 0.9 and 0.999."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], bias [H], gates [H, 2H], gates_bias [2H], decay [H].

        Matrices are normal, of variance 1 / I and 1 / H; biases are zero.
        """
        of_x, of_gates, of_decay = jax.random.split(key, 3)
        normal, units = jax.nn.initializers.lecun_normal(), self.features
        low, high = self.smallest, self.largest
        a = jax.random.uniform(of_decay, (units,), minval=low, maxval=high)
        log_a = jnp.log(a) / SHARPNESS
        return {
            "kernel": normal(of_x, (in_features, units)),
            "bias": jnp.zeros(units),
            "gates": normal(of_gates, (units, 2 * units)),
            "gates_bias": jnp.zeros(2 * units),
            "decay": log_a - jnp.log(-jnp.expm1(log_a)),
        }

    def project(self, params: Params, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns log a and i * x', [..., H] each."""
        x = super().project(params, x)
        gates = sigmoid(x @ params["gates"] + params["gates_bias"])
        r, i = jnp.split(gates, 2, axis=-1)
        return -SHARPNESS * jax.nn.softplus(-params["decay"]) * r, i * x

    def coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns a and sqrt(1 - a^2) * (i * x'), [..., H] each."""
        log_a, x = u
        rest = -jnp.expm1(2 * log_a)  # 1 - a^2; the root's slope stays finite at a = 1
        rest = jnp.maximum(rest, jnp.finfo(rest.dtype).tiny)
        return jnp.exp(log_a), jnp.sqrt(rest) * x
