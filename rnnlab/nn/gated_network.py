"""The network at each step of a block, and how what blocks add begins."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class GatedNetwork(nn.Module):
    """y = W (silu(U x) * (V x)), of 8 / 3 as many units: as many weights as 4 ungated.

    Attributes:
        out: the initial values of W.

    References:
        Shazeer, GLU variants improve Transformer, 2020,
        https://arxiv.org/abs/2002.05202
    """

    out: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns y: [..., H] -> [..., H]."""
        features = x.shape[-1]
        units = 8 * features // 3
        made = nn.Dense(2 * units, use_bias=False, name="gate_and_value")(x)
        gate, value = jnp.split(made, 2, axis=-1)
        last = nn.Dense(features, use_bias=False, kernel_init=self.out, name="out")
        return last(nn.silu(gate) * value)


def added(count: int) -> nn.initializers.Initializer:
    """Returns initial values for matrices whose products are added to one sum.

    Args:
        count: of the products; the variance of each is divided by it.

    References:
        Radford et al., Language models are unsupervised multitask learners, 2019
    """
    return nn.initializers.variance_scaling(1 / count, "fan_in", "truncated_normal")
