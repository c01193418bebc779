"""One softmax over the whole vocabulary."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.nn.losses import cross_entropy


class Softmax(nn.Module):
    """softmax(W h + b), W the model's own or the embedding.

    Attributes:
        vocab_size: V.
        tied: whether W is the embedding; h must then have as many features.
        project: features of a linear map that h goes through first; None for none. It
            lets a layer of any width be tied.
        smoothing: in training, the share of the target's probability that is spread
            over the vocabulary. It costs one product of [N, H] entry by entry.

    References:
        Press, Wolf, Using the output embedding to improve language models, 2017,
        https://arxiv.org/abs/1608.05859
        Melis, Dyer, Blunsom, On the state of the art of evaluation in neural language
        models, 2018, https://arxiv.org/abs/1707.05589 (project)
        Szegedy et al., Rethinking the inception architecture for computer vision,
        2016, https://arxiv.org/abs/1512.00567 (smoothing)
    """

    vocab_size: int
    tied: bool = False
    project: int | None = None
    smoothing: float = 0.0

    def logits(self, h: jax.Array, table: jax.Array) -> jax.Array:
        """Returns the logits, [..., H] -> [..., V]."""
        h, kernel, bias = self._weights(h, table)
        return h @ kernel.T + bias

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

    @nn.compact
    def _weights(self, h, table):
        """Returns the features that meet the classes, W [V, H] and b [V]."""
        if self.project is not None:
            h = nn.Dense(self.project, use_bias=False, name="project")(h)
        bias = self.param("bias", nn.initializers.zeros, (self.vocab_size,))
        if not self.tied:
            shape = (self.vocab_size, h.shape[-1])
            kernel = self.param("decoder", nn.initializers.glorot_uniform(), shape)
            return h, kernel, bias
        if h.shape[-1] != table.shape[-1]:
            raise ValueError(
                f"A tied output layer needs as many features in the last layer as in"
                f" the embedding, got {h.shape[-1]} and {table.shape[-1]}; make them"
                f" equal, pass project={table.shape[-1]}, or tied=False."
            )
        return h, table, bias
