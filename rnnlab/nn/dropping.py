"""Dropout of an array: entries that are zero in training, at random."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp


def drop(
    module: nn.Module,
    x: jax.Array,
    rate: float | jax.Array,
    train: bool,
    axes: Sequence[int] = (),
) -> jax.Array:
    """Returns x with a share of its entries zero, the others scaled to the same mean.

    The key is the module's next of `dropout`; without training, or with the number 0
    as the rate, x comes back and no key is asked for.

    Args:
        module: whose `apply` was given `rngs={"dropout": key}`.
        x: [...].
        rate: the share that is dropped, in [0, 1); a number or, under `jax.vmap`, an
            array [].
        train: whether anything is dropped.
        axes: along which a mask is the same, (0,) for one mask of all steps.

    References:
        Srivastava et al., Dropout: a simple way to prevent neural networks from
        overfitting, 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """
    if not train or (isinstance(rate, int | float) and rate == 0):
        return x
    shape = [1 if k in {a % x.ndim for a in axes} else n for k, n in enumerate(x.shape)]
    kept = jax.random.bernoulli(module.make_rng("dropout"), 1 - rate, tuple(shape))
    return jnp.where(kept, x / (1 - rate), 0).astype(x.dtype)
