"""A causal convolution of each feature alone, before a cell in a block."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class DepthwiseConv(nn.Module):
    """y_t = b + sum_k w_k * x_{t-k}, k from 0 to K - 1, feature by feature.

    It carries the last K - 1 inputs; before the first step stand zeros.

    Attributes:
        features: H.
        kernel: K, the inputs that it sees, of two or more.
    """

    features: int
    kernel: int

    @nn.nowrap
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Returns the inputs before the first step: zeros, [B, K - 1, H]."""
        return jnp.zeros((*batch, self.kernel - 1, self.features), dtype)

    @nn.compact
    def __call__(self, past: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the last inputs and y: [B, K - 1, H], [T, B, H] -> [T, B, H]."""
        normal = nn.initializers.normal(self.kernel**-0.5)
        w = self.param("kernel", normal, (self.kernel, self.features))  # oldest first
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        steps = len(x)
        x = jnp.concatenate([past.swapaxes(0, 1), x])  # [K - 1 + T, B, H]
        y = sum((w[k] * x[k : k + steps] for k in range(self.kernel)), bias)
        return x[steps:].swapaxes(0, 1), y
