"""Logits that are linear in the features, by weights of their own or the embedding."""

import flax.linen as nn
import jax


class Linear(nn.Module):
    """W h + b, W the model's own or the embedding; outputs derive from it.

    Attributes:
        vocab_size: V.
        tied: whether W is the embedding; h must then have as many features.
        project: features of a linear map that h goes through first; None for none. It
            lets a layer of any width be tied.

    References:
        Press, Wolf, Using the output embedding to improve language models, 2017,
        https://arxiv.org/abs/1608.05859
        Melis, Dyer, Blunsom, On the state of the art of evaluation in neural language
        models, 2018, https://arxiv.org/abs/1707.05589 (project)
    """

    vocab_size: int
    tied: bool = False
    project: int | None = None

    def logits(self, h: jax.Array, table: jax.Array) -> jax.Array:
        """Returns the logits, [..., H] -> [..., V]."""
        h, kernel, bias = self._weights(h, table)
        return h @ kernel.T + bias

    @nn.compact
    def _weights(self, h, table):
        """Returns the features that meet the classes, W [V, H] and b [V]."""
        if self.project is not None:
            h = nn.Dense(self.project, use_bias=False, name="project")(h)
        return h, *classes(self, self.vocab_size, h.shape[-1], table, self.tied)


def classes(
    module: nn.Module, count: int, features: int, table: jax.Array, tied: bool
) -> tuple[jax.Array, jax.Array]:
    """Returns the weights of classes and their biases, [C, H] and [C].

    They are parameters of the module: `decoder`, unless it is tied, and `bias`.

    Args:
        module: whose compact method asks.
        count: C.
        features: H.
        table: the embedding, [V, E].
        tied: whether the weights are the embedding, whole.

    Raises:
        ValueError: the embedding has another number of features.
    """
    bias = module.param("bias", nn.initializers.zeros, (count,))
    if not tied:
        glorot = nn.initializers.glorot_uniform()
        return module.param("decoder", glorot, (count, features)), bias
    if features != table.shape[-1]:
        raise ValueError(
            f"A tied output layer needs as many features in the last layer as in the"
            f" embedding, got {features} and {table.shape[-1]}; make them equal, pass"
            f" project={table.shape[-1]}, or tied=False."
        )
    return table, bias
