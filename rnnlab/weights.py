"""Functions of a cell's params, applied once, before they are given to an engine.

    params = weight_drop(key, norm_merge(normed), rate=0.5)
    carry, y = engine(cell, params, carry, x)

All steps then see the same weights, and no cell or engine knows of it.

References:
    Wan et al., Regularization of neural networks using DropConnect, 2013,
    https://proceedings.mlr.press/v28/wan13.html
    Merity, Keskar, Socher, Regularizing and optimizing LSTM language models, 2017,
    https://arxiv.org/abs/1708.02182
    Salimans, Kingma, Weight normalization: a simple reparameterization to accelerate
    training of deep neural networks, 2016, https://arxiv.org/abs/1602.07868
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


def weight_drop(
    key: jax.Array,
    params: Mapping[str, Any],
    rate: float,
    names: Sequence[str] = ("recurrent",),
) -> dict[str, Any]:
    """Returns params with entries of some arrays set to zero: DropConnect.

    An entry is kept with probability 1 - rate, and divided by it, so that its mean
    stays. The mask of a name depends on the key and the name alone. The key is one a
    sequence, not one a step.

    Raises:
        ValueError: the rate is outside [0, 1), or params have no such name.
    """
    if not 0 <= rate < 1:
        raise ValueError(
            f"weight_drop needs a rate of at least 0 and below 1, got {rate}; 0.5 is"
            f" what Merity et al. take for recurrent weights."
        )
    _check(params, names)

    def drop(name):
        own = jax.random.fold_in(key, zlib.crc32(name.encode()))
        kept = jax.random.bernoulli(own, 1 - rate, params[name].shape)
        return jnp.where(kept, params[name] / (1 - rate), 0)

    return {**params, **{name: drop(name) for name in names if rate}}


class Normed(NamedTuple):
    """Matrices as a direction and a gain for each column: w = g * v / |v|.

    Attributes:
        v: [..., in, out].
        g: [..., out].
    """

    v: jax.Array
    g: jax.Array


def norm_split(
    params: Mapping[str, Any], names: Sequence[str] = ("kernel", "recurrent")
) -> dict[str, Any]:
    """Returns params with some matrices as `Normed`: weight normalisation.

    These are what is then trained. `norm_merge` gives the same params back, to the
    last bit unless the two are compiled apart. A column of zeros has no direction and
    stays zero in training.

    Raises:
        ValueError: params have no such name, or it is no matrix.
    """
    _check(params, names)
    for name in names:
        if params[name].ndim < 2:
            raise ValueError(
                f"norm_split needs matrices [..., in, out], got {name} of shape"
                f" {params[name].shape}; leave it out of names."
            )
    return {
        **params,
        **{name: Normed(params[name], _norm(params[name])) for name in names},
    }


def norm_merge(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns ordinary params: each `Normed` as g * v / |v|."""

    def merge(v, g):
        norm = _norm(v)
        return v * (g / jnp.where(norm > 0, norm, 1))[..., None, :]

    return {
        name: merge(*leaf) if isinstance(leaf, Normed) else leaf
        for name, leaf in params.items()
    }


def _norm(v: jax.Array) -> jax.Array:
    """Returns the length of each column, [..., in, out] -> [..., out]."""
    square = jnp.sum(v * v, axis=-2)
    some = square > 0  # the derivative of the root is infinite at zero
    return jnp.where(some, jnp.sqrt(jnp.where(some, square, 1)), 0)


def _check(params, names):
    """Raises ValueError for the first name that params do not have."""
    for name in names:
        if name not in params:
            raise ValueError(
                f"params must have each of the names {', '.join(names)}, got"
                f" {', '.join(params)}; leave {name} out."
            )
