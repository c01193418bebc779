"""One softmax over the whole vocabulary."""

import jax
import jax.numpy as jnp

from rnnlab.nn.losses import cross_entropy
from rnnlab.nn.outputs.linear import Linear


class Softmax(Linear):
    """softmax(W h + b), W the model's own or the embedding.

    Attributes:
        smoothing: in training, the share of the target's probability that is spread
            over the vocabulary. It costs one product of [N, H] entry by entry.
            (vocab_size, tied and project are those of `Linear`.)

    References:
        Szegedy et al., Rethinking the inception architecture for computer vision,
        2016, https://arxiv.org/abs/1512.00567 (smoothing)
    """

    smoothing: float = 0.0

    def nats(
        self, h: jax.Array, targets: jax.Array, table: jax.Array, train: bool = False
    ) -> jax.Array:
        """Returns the nats each target costs, [..., H] -> [...]."""
        h, kernel, bias = self._weights(h, table)
        nats = cross_entropy(h, kernel, bias, targets)
        if not train or not self.smoothing:
            return nats
        # The mean of -log p over the classes is that of the target, and how far the
        # target's logit lies above the mean logit.
        above = jnp.sum(h * (kernel[targets] - kernel.mean(0)), axis=-1)
        return nats + self.smoothing * (above + bias[targets] - bias.mean())
