"""The neural cache: what followed states like the present one is likely to follow now.

The last C features of the output layer are kept, each with the token that followed.
A token's probability is the share that it has among what followed, each weighted by
exp(theta h_t . h_i), mixed with what the model says.

References:
    Grave, Joulin, Usunier, Improving neural language models with a continuous cache,
    2017, https://arxiv.org/abs/1612.04426
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Cached(NamedTuple):
    """The last C pairs, the oldest first.

    Attributes:
        h: features, [C, B, H].
        tokens: what followed, int [C, B]; -1 where nothing is cached yet.
    """

    h: jax.Array
    tokens: jax.Array


def empty(size: int, h: Any) -> Cached:
    """Returns a cache without pairs, for features like h: [..., B, H]."""
    return Cached(
        jnp.zeros((size, *h.shape[-2:]), h.dtype),
        jnp.full((size, h.shape[-2]), -1, jnp.int32),
    )


def recall(
    cached: Cached, h: jax.Array, targets: jax.Array, thetas: jax.Array
) -> tuple[Cached, jax.Array]:
    """Returns the cache after a block of steps, and what it said of each target.

    Step t sees the C pairs before it, those of its own block included. All steps are
    taken at once, as one product [T, C + T] a row.

    Args:
        cached: C pairs, as the block before left them.
        h: [T, B, H].
        targets: int [T, B].
        thetas: [G], how sharply the weights fall; each gives its own answer.

    Returns:
        The last C pairs, and the log-probability of each target by the cache alone,
        [G, T, B]: -inf where the target is not in the cache, and NaN where nothing is.
    """
    size, steps = len(cached.tokens), len(h)
    keys = jnp.concatenate([cached.h, h])
    tokens = jnp.concatenate([cached.tokens, targets])
    likeness = jnp.einsum("tbh,sbh->bts", h, keys)
    lag = size + jnp.arange(steps)[:, None] - jnp.arange(size + steps)  # [T, C + T]
    seen = (lag > 0) & (lag <= size) & (tokens.T >= 0)[:, None]  # [B, T, C + T]
    same = seen & (tokens.T[:, None] == targets.T[:, :, None])

    def by(theta):
        total, hits = (
            jax.nn.logsumexp(theta * likeness, axis=-1, where=those)
            for those in (seen, same)
        )
        return (hits - total).T

    log_p = jax.lax.map(by, thetas)
    return Cached(keys[steps:], tokens[steps:]), log_p


def mixed(nats: Any, log_p: Any, share: float) -> Any:
    """Returns the nats of targets, with a share of the probability from the cache.

    Args:
        nats: by the model, [...].
        log_p: by the cache, as `recall` returns it, [...].
        share: lambda, in [0, 1); where nothing is cached, it is the model's too.
    """
    log_share = jnp.log(jnp.asarray(share, jnp.float32))
    both = jnp.logaddexp(jnp.log1p(-jnp.float32(share)) - nats, log_share + log_p)
    return jnp.where(jnp.isnan(log_p), nats, -both)
