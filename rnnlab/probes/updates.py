"""What training does to the parameters: how far they move, how noisy their gradient is.

References:
    McCandlish, Kaplan, Amodei et al., An empirical model of large-batch training, 2018,
    https://arxiv.org/abs/1812.06162: the gradient noise scale, appendix A.1.
    Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks,
    2013, https://arxiv.org/abs/1211.5063: clipping by the norm.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Noise(NamedTuple):
    """The noise of a gradient over a batch; from few parts, itself noisy.

    Average `trace` and `signal` over updates before you divide them: the mean of
    quotients is not the quotient of the means.

    Attributes:
        trace: of the covariance of one example's gradient.
        signal: the squared norm of the gradient without noise; an unbiased estimate,
            which may fall below zero.
    """

    trace: jax.Array
    signal: jax.Array

    @property
    def scale(self) -> jax.Array:
        """The batch, in examples, at which noise and signal are equal."""
        return self.trace / self.signal


def norm(tree: Any) -> jax.Array:
    """Returns the norm of all leaves together, [].

    Squares are taken of shares of the largest number, as small ones have none.
    """
    leaves = [jnp.abs(a) for a in jax.tree.leaves(tree)]
    largest = jnp.max(jnp.stack([jnp.max(a, initial=0) for a in leaves]))
    unit = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return unit * jnp.sqrt(sum(jnp.sum((a / unit) ** 2) for a in leaves))


def ratio(params: Any, updates: Any) -> jax.Array:
    """Returns |update| / |param| of all leaves together, []; infinite for zeros."""
    return norm(updates) / norm(params)


def ratios(params: Any, updates: Any) -> dict[str, jax.Array]:
    """Returns |update| / |param| of each leaf, [], by path: "stack/cell/kernel".

    Args:
        params: before the update.
        updates: params after it, less those before.
    """
    paths, leaves = zip(*jax.tree_util.tree_leaves_with_path(params), strict=True)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): ratio(param, update)
        for path, param, update in zip(
            paths, leaves, jax.tree.leaves(updates), strict=True
        )
    }


def noise(gradients: Any, size: int) -> Noise:
    """Returns the noise of the gradient from the gradients by parts of a batch.

    Args:
        gradients: the mean gradient over each part, leaves [K, ...].
        size: the examples in a part.

    Raises:
        ValueError: there are fewer than two parts.
    """
    count = len(jax.tree.leaves(gradients)[0])
    if count < 2:
        raise ValueError(
            f"noise needs the gradients by 2 parts of a batch or more, got {count};"
            f" split the batch."
        )
    part = jnp.mean(jax.vmap(norm)(gradients) ** 2)
    whole = norm(jax.tree.map(lambda a: a.mean(0), gradients)) ** 2
    trace = (part - whole) / (1 / size - 1 / (count * size))
    return Noise(trace, (count * whole - part) / (count - 1))


def clip_fraction(norms: jax.Array, bound: float) -> jax.Array:
    """Returns the share of steps whose gradient norm is above the bound: [T] -> []."""
    return jnp.mean(norms > bound)
