"""A recurrent language model: embedding, layers, output layer."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan
from rnnlab.nn.losses import cross_entropy
from rnnlab.nn.stack import Stack, initial


class LanguageModel(nn.Module):
    """Predicts the next token from all before it.

    Attributes:
        vocab_size: V.
        embedding: E, the features of a token's vector.
        cells: the recurrent layers, from the input up.
        engine: how their steps are executed.
        dropout: at the input of each layer and before the output layer.
        tied: whether the output layer uses the embedding's weights; E must then be
            the features of the last layer.
        rows_first: whether the loss is taken with rows before steps. Its sums have
            another order then, and rows that lie on different devices stay there.

    References:
        Mikolov et al., Recurrent neural network based language model, 2010,
        https://doi.org/10.21437/Interspeech.2010-343
        Press, Wolf, Using the output embedding to improve language models, 2017,
        https://arxiv.org/abs/1608.05859
    """

    vocab_size: int
    embedding: int
    cells: tuple[Cell[Any], ...]
    engine: Engine = Scan()
    dropout: float = 0.0
    tied: bool = False
    rows_first: bool = False

    def setup(self):
        """Declares the parameters that need no input to know their shape."""
        normal = nn.initializers.normal(self.embedding**-0.5)
        self.encoder = self.param(
            "embedding", normal, (self.vocab_size, self.embedding)
        )
        self.stack = Stack(self.cells, self.engine, self.dropout)
        self.bias = self.param("bias", nn.initializers.zeros, (self.vocab_size,))

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns the carries of all layers before the first token."""
        return initial(self.cells, batch, dtype)

    def __call__(
        self, carries: Any, tokens: jax.Array, train: bool = False
    ) -> tuple[Any, jax.Array]:
        """Returns the carries after the last token and logits: [T, B] -> [T, B, V]."""
        carries, h = self.stack(carries, self.encoder[tokens], train)
        return carries, h @ self._decoder(h).T + self.bias

    def loss(
        self, carries: Any, tokens: jax.Array, targets: jax.Array, train: bool = False
    ) -> tuple[Any, jax.Array]:
        """Returns the carries and the nats each target costs: [T, B] -> [T, B]."""
        carries, h = self.stack(carries, self.encoder[tokens], train)
        decoder = self._decoder(h)
        if not self.rows_first:
            return carries, cross_entropy(h, decoder, self.bias, targets)
        h, targets = h.swapaxes(0, 1), targets.swapaxes(0, 1)
        return carries, cross_entropy(h, decoder, self.bias, targets).swapaxes(0, 1)

    @nn.compact
    def _decoder(self, h: jax.Array) -> jax.Array:
        """Returns the output weights, [V, H]."""
        if not self.tied:
            shape = (self.vocab_size, h.shape[-1])
            return self.param("decoder", nn.initializers.glorot_uniform(), shape)
        if h.shape[-1] != self.embedding:
            raise ValueError(
                f"A tied output layer needs as many features in the last layer as in"
                f" the embedding, got {h.shape[-1]} and {self.embedding};"
                f" make them equal or pass tied=False."
            )
        return self.encoder
