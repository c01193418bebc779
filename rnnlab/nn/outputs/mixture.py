"""A mixture of softmaxes, whose logits are not bound by the rank of H features."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from rnnlab.nn.losses import cross_entropy
from rnnlab.nn.outputs.linear import classes


class Mixture(nn.Module):
    """The sum over experts k of p_k(h) softmax(W tanh(P_k h + c_k) + b).

    The costs of a target under each expert are those of K times as many rows under one
    softmax, and of [N, K, V] logits no more is held than `cross_entropy` holds: above
    `losses.HELD` logits those of one block. A step takes K times the output layer's
    time.

    Attributes:
        vocab_size: V.
        tied: whether W is the embedding; experts must then have as many features.
        project: features of an expert; None for as many as h has.
        experts: K.

    References:
        Yang et al., Breaking the softmax bottleneck: a high-rank RNN language model,
        2018, https://arxiv.org/abs/1711.03953
    """

    vocab_size: int
    tied: bool = False
    project: int | None = None
    experts: int = 10

    def logits(self, h: jax.Array, table: jax.Array) -> jax.Array:
        """Returns log-probabilities, [..., H] -> [..., V]; the experts' in turn."""
        prior, latent, kernel, bias = self._weights(h, table)

        def add(total, expert):
            chance, x = expert
            each = chance[..., None] + nn.log_softmax(x @ kernel.T + bias)
            return jnp.logaddexp(total, each), None

        nothing = jnp.full((*h.shape[:-1], self.vocab_size), -jnp.inf, h.dtype)
        experts = jnp.moveaxis(prior, -1, 0), jnp.moveaxis(latent, -2, 0)
        return lax.scan(add, nothing, experts)[0]

    def nats(
        self, h: jax.Array, targets: jax.Array, table: jax.Array, train: bool = False
    ) -> jax.Array:
        """Returns the nats each target costs, [..., H] -> [...]."""
        prior, latent, kernel, bias = self._weights(h, table)
        each = jnp.broadcast_to(targets[..., None], prior.shape)
        nats = cross_entropy(latent, kernel, bias, each)
        return -jax.nn.logsumexp(prior - nats, axis=-1)

    @nn.compact
    def _weights(self, h, table):
        """Returns log p [..., K], experts' features [..., K, F], W [V, F] and b [V]."""
        features = h.shape[-1] if self.project is None else self.project
        prior = nn.Dense(self.experts, use_bias=False, name="prior")(h)
        latent = nn.tanh(nn.Dense(self.experts * features, name="latent")(h))
        latent = latent.reshape(*h.shape[:-1], self.experts, features)
        kernel, bias = classes(self, self.vocab_size, features, table, self.tied)
        return nn.log_softmax(prior), latent, kernel, bias
