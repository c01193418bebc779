"""A softmax in two steps: frequent words at once, others by cluster."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.nn.chosen import of_chosen
from rnnlab.nn.losses import cross_entropy
from rnnlab.nn.outputs.linear import classes

Weights = dict[str, jax.Array]


class Adaptive(nn.Module):
    """A head of frequent classes and one class a tail; a softmax in each tail.

    The distribution is exact, and a tail costs time for the targets that lie in it
    alone, however many they are. So ids must be sorted by frequency, most frequent
    first, as `--tokens=word` does; another order is right, and slow.

    Attributes:
        vocab_size: V.
        cutoffs: the first class of each tail, rising, above 0 and below V.
        tail_factor: tail k sees H / tail_factor**k features, by a linear map; 1 for
            those of h, without a map.
        tied: whether the classes' weights are the embedding, which takes a
            tail_factor of 1; h must then have as many features.
        project: features of a linear map that h goes through first; None for none.

    References:
        Grave et al., Efficient softmax approximation for GPUs, 2017,
        https://arxiv.org/abs/1609.04309
        Merity, Keskar, Socher, An analysis of neural language modeling at multiple
        scales, 2018, https://arxiv.org/abs/1803.08240 (tied)
    """

    vocab_size: int
    cutoffs: tuple[int, ...]
    tail_factor: int = 4
    tied: bool = False
    project: int | None = None

    def logits(self, h: jax.Array, table: jax.Array) -> jax.Array:
        """Returns log-probabilities, [..., H] -> [..., V]."""
        h, head, tails = self._weights(h, table)
        first = _log_softmax(head, h)
        parts = [first[..., : self.cutoffs[0]]]
        for k, tail in enumerate(tails, self.cutoffs[0]):
            parts.append(first[..., k : k + 1] + _log_softmax(tail, h))
        return jnp.concatenate(parts, axis=-1)

    def nats(
        self, h: jax.Array, targets: jax.Array, table: jax.Array, train: bool = False
    ) -> jax.Array:
        """Returns the nats each target costs, [..., H] -> [...]."""
        h, head, tails = self._weights(h, table)
        rows, true = h.reshape(-1, h.shape[-1]), targets.reshape(-1)
        first = true
        for k, (low, _) in enumerate(self._bounds(), self.cutoffs[0]):
            first = jnp.where(true >= low, k, first)
        nats = _nats(head, rows, first)
        for tail, (low, high) in zip(tails, self._bounds(), strict=True):
            inside = (low <= true) & (true < high)
            nats += of_chosen(_nats, tail, rows, true - low, inside)
        return nats.reshape(targets.shape)

    @nn.nowrap
    def _bounds(self):
        """Returns of each tail its first class and the one after its last."""
        return [*itertools.pairwise((*self.cutoffs, self.vocab_size))]

    @nn.nowrap
    def _check(self):
        """Raises ValueError for cut-offs out of order and tails that cannot be tied."""
        ends = 0, *self.cutoffs, self.vocab_size
        if not self.cutoffs or any(a >= b for a, b in itertools.pairwise(ends)):
            raise ValueError(
                f"Adaptive needs cut-offs that rise from above 0 to below"
                f" vocab_size={self.vocab_size}, got {self.cutoffs}; change them."
            )
        if self.tied and self.tail_factor != 1:
            raise ValueError(
                f"Adaptive needs a tail_factor of 1 to be tied, got"
                f" {self.tail_factor}; pass 1, or tied=False."
            )

    @nn.compact
    def _weights(self, h, table):
        """Returns the features that the head sees, its weights, and each tail's."""
        self._check()
        if self.project is not None:
            h = nn.Dense(self.project, use_bias=False, name="project")(h)
        features, most, tails = h.shape[-1], self.cutoffs[0], []
        count = most + len(self.cutoffs)
        kernel, bias = classes(self, count, features, table, self.tied)
        if self.tied:
            glorot = nn.initializers.glorot_uniform()
            last = self.param("tails", glorot, (len(self.cutoffs), features))
            kernel = jnp.concatenate([kernel[:most], last])
        for k, (low, high) in enumerate(self._bounds(), 1):
            reduced = max(1, features // self.tail_factor**k)
            tail = Tail(high - low, reduced, self.tied, name=f"tail_{k}")
            tails.append(tail(features, table[low:high]))
        return h, {"kernel": kernel, "bias": bias}, tails


class Tail(nn.Module):
    """The weights of a tail.

    Attributes:
        count: C, its classes.
        reduced: R, the features that they see: a linear map makes them where these are
            not as many as there are.
        tied: whether the classes' weights are rows of the embedding.
    """

    count: int
    reduced: int
    tied: bool

    @nn.compact
    def __call__(self, features: int, table: jax.Array) -> Weights:
        """Returns `reduce` [H, R], if there is a map, `kernel` [C, R], `bias` [C]."""
        weights = {}
        if self.reduced != features:
            glorot = nn.initializers.glorot_uniform()
            weights["reduce"] = self.param("reduce", glorot, (features, self.reduced))
        kernel, bias = classes(self, self.count, self.reduced, table, self.tied)
        return weights | {"kernel": kernel, "bias": bias}


def _seen(weights, h):
    """Returns the features that the classes see."""
    return h @ weights["reduce"] if "reduce" in weights else h


def _log_softmax(weights, h):
    """Returns log-probabilities, [..., C]."""
    return nn.log_softmax(_seen(weights, h) @ weights["kernel"].T + weights["bias"])


def _nats(weights, rows, targets):
    """Returns the nats each target costs, [N]."""
    rows = _seen(weights, rows)
    return cross_entropy(rows, weights["kernel"], weights["bias"], targets)
