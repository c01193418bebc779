"""A language model: embedding, layers, output layer."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.nn.dropping import drop
from rnnlab.nn.parts import Layers, Output


class LanguageModel(nn.Module):
    """Predicts the next token from all before it.

    Attributes:
        embedding: E, the features of a token's vector.
        stack: the layers, `Stack` for recurrent ones. `tar` sees its dropout at the
            end, if it has one: take `Stack(dropout_out=0.0)`, and `dropout_out` here.
        output: the distribution from the last layer's features; it knows V.
        embedding_dropout: the share of the vocabulary whose vectors are zero for a
            batch.
        token_dropout: the share of tokens whose vectors are zero.
        dropout_out: at the output of the last layer; None for the stack's `dropout`.
        variational: whether the mask of `dropout_out` is the same at all steps.
        ar: weight of the mean square of the last layer's output, after dropout.
        tar: weight of the mean square of its change from step to step, before dropout.
        rows_first: whether the loss is taken with rows before steps. Its sums have
            another order then, and rows that lie on different devices stay there.

    References:
        Mikolov et al., Recurrent neural network based language model, 2010,
        https://doi.org/10.21437/Interspeech.2010-343
        Merity, Keskar, Socher, Regularizing and optimizing LSTM language models, 2018,
        https://arxiv.org/abs/1708.02182 (embedding dropout, ar, tar)
    """

    embedding: int
    stack: Layers
    output: Output
    embedding_dropout: float = 0.0
    token_dropout: float = 0.0
    dropout_out: float | jax.Array | None = 0.0
    variational: bool = False
    ar: float = 0.0
    tar: float = 0.0
    rows_first: bool = False

    def setup(self):
        """Declares the embedding; layers and output declare their own."""
        normal = nn.initializers.normal(self.embedding**-0.5)
        shape = (self.output.vocab_size, self.embedding)
        self.encoder = self.param("embedding", normal, shape)

    @nn.nowrap
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns the carries of all layers before the first token."""
        return self.stack.initial(batch, dtype)

    def __call__(self, carries: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        """Returns the carries after the last token and logits: [T, B] -> [T, B, V]."""
        carries, h = self.features(carries, tokens)
        return carries, self.logits(h)

    def features(self, carries: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        """Returns the carries after and what the output sees: [T, B] -> [T, B, H]."""
        return self._read(carries, tokens, train=False)

    def logits(self, h: jax.Array) -> jax.Array:
        """Returns log-probabilities up to a constant: [..., H] -> [..., V]."""
        return self.output.logits(h, self.encoder)

    def loss(
        self, carries: Any, tokens: jax.Array, targets: jax.Array
    ) -> tuple[Any, jax.Array]:
        """Returns the carries and the nats each target costs: [T, B] -> [T, B]."""
        carries, h = self.features(carries, tokens)
        return carries, self.nats(h, targets)

    def nats(self, h: jax.Array, targets: jax.Array) -> jax.Array:
        """Returns the nats each target costs: [T, B, H] -> [T, B]."""
        return self._nats(h, targets, train=False)

    def noisy(
        self, carries: Any, tokens: jax.Array, targets: jax.Array
    ) -> tuple[Any, jax.Array]:
        """Returns the carries and the nats each target costs, with masks of dropout.

        The masks are drawn as in training, by the key of `rngs={"dropout": key}`.
        """
        carries, h = self._read(carries, tokens, train=True)
        return carries, self.nats(self._dropped(h), targets)

    def objective(
        self, carries: Any, tokens: jax.Array, targets: jax.Array
    ) -> tuple[Any, jax.Array, jax.Array]:
        """Returns what training lowers: the carries, nats a target and the penalties.

        With dropout, `apply` needs `rngs={"dropout": key}`.

        Returns:
            The carries, [T, B] and [].
        """
        carries, h = self._read(carries, tokens, train=True)
        dropped = self._dropped(h)
        penalty = jnp.zeros((), h.dtype)
        if self.ar:
            penalty += self.ar * jnp.mean(dropped**2)
        if self.tar and len(h) > 1:
            penalty += self.tar * jnp.mean((h[1:] - h[:-1]) ** 2)
        return carries, self._nats(dropped, targets, train=True), penalty

    def _read(self, carries, tokens, train):
        """Returns the carries after the tokens and the last layer's output."""
        x = self.encoder[tokens]
        if train and self.embedding_dropout:
            each = jnp.ones((self.output.vocab_size, 1), x.dtype)
            x *= drop(self, each, self.embedding_dropout, train)[tokens]
        x = drop(self, x, self.token_dropout, train, axes=(-1,))
        return self.stack(carries, x, train)

    def _dropped(self, h):
        """Returns the last layer's output after dropout, as in training."""
        axes = (0,) if self.variational else ()
        own = self.stack.dropout if self.dropout_out is None else self.dropout_out
        return drop(self, h, own, True, axes)

    def _nats(self, h, targets, train):
        """Returns the nats each target costs, [T, B]."""
        if not self.rows_first:
            return self.output.nats(h, targets, self.encoder, train)
        h, targets = h.swapaxes(0, 1), targets.swapaxes(0, 1)
        return self.output.nats(h, targets, self.encoder, train).swapaxes(0, 1)
