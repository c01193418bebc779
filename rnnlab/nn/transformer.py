"""Attention to the last tokens, in layers: a Transformer that carries what it saw."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.nn.dropping import drop
from rnnlab.nn.gated_network import GatedNetwork, added

BASE = 10_000.0  # of the rotations' wavelengths, in tokens over 2 pi


class Seen(NamedTuple):
    """What a Transformer carries.

    Attributes:
        held: how many of the tokens before it holds, int32 [B].
        layers: for each layer keys and values of the last C tokens, [B, C, N, D]; those
            of the newest stand last.
    """

    held: jax.Array
    layers: tuple[tuple[jax.Array, jax.Array], ...]


class Transformer(nn.Module):
    """Layers of causal attention and of a gated network, each added to its input.

    Each token attends to itself and the `context` tokens before it, wherever a window
    begins, so that two windows give what both give in one. The keys and values carried
    are those of the parameters that made them, and no gradient reaches the windows
    before: Transformer-XL carries hidden states instead and makes keys and values of
    them anew. Norms stand before the layers, positions are rotations of queries and
    keys, and the input is scaled by the root of its features.

    Attributes:
        features: H, a multiple of twice the heads.
        layers: of attention and network.
        heads: N.
        context: C, the tokens before it that a token attends to.
        dropout: the share of values set to zero in training, of what is added.
        dropout_in: the share at the input; None for `dropout`.
        variational: whether a mask of dropout is the same at all steps.

    References:
        Vaswani et al., Attention is all you need, 2017,
        https://arxiv.org/abs/1706.03762
        Dai et al., Transformer-XL: attentive language models beyond a fixed-length
        context, 2019, https://arxiv.org/abs/1901.02860
        Xiong et al., On layer normalization in the Transformer architecture, 2020,
        https://arxiv.org/abs/2002.04745
        Zhang, Sennrich, Root mean square layer normalization, 2019,
        https://arxiv.org/abs/1910.07467
    """

    features: int
    layers: int
    heads: int
    context: int
    dropout: float | jax.Array = 0.0
    dropout_in: float | jax.Array | None = None
    variational: bool = False

    @nn.nowrap
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Seen:
        """Returns a memory of no token."""
        width = self.features // self.heads
        none = jnp.zeros((*batch, self.context, self.heads, width), dtype)
        return Seen(jnp.zeros(batch, jnp.int32), ((none, none),) * self.layers)

    @nn.compact
    def __call__(
        self, carries: Seen, x: jax.Array, train: bool = False
    ) -> tuple[Seen, jax.Array]:
        """Returns the carry after the last step and y: [T, B, E] -> [T, B, H].

        In training with dropout, `apply` needs `rngs={"dropout": key}`.

        Raises:
            ValueError: the features are no multiple of twice the heads.
        """
        if self.features % (2 * self.heads):
            raise ValueError(
                f"A Transformer needs features that are a multiple of twice its heads,"
                f" got {self.features} and {self.heads}; change one of them."
            )
        x = x.swapaxes(0, 1) * x.shape[-1] ** 0.5
        if x.shape[-1] != self.features:
            x = nn.Dense(self.features, use_bias=False, name="entry")(x)
        x = self._drop(x, self.dropout_in, train)
        steps = x.shape[1]
        mask = visible(carries.held, steps, self.context)
        out = added(2 * self.layers)
        after = []
        for k, past in enumerate(carries.layers):
            below = nn.RMSNorm(name=f"attention_norm_{k}")(x)
            past, y = Attention(self.heads, out)(past, mask, below)
            x += self._drop(y, self.dropout, train)
            y = GatedNetwork(out)(nn.RMSNorm(name=f"network_norm_{k}")(x))
            x += self._drop(y, self.dropout, train)
            after.append(past)
        held = jnp.minimum(carries.held + steps, self.context)
        y = nn.RMSNorm(name=f"last_norm_{self.layers - 1}")(x)
        return Seen(held, tuple(after)), y.swapaxes(0, 1)

    def _drop(self, x, rate, train):
        """Returns x [B, T, H] after dropout, at the own rate where there is none."""
        axes = (1,) if self.variational else ()
        return drop(self, x, self.dropout if rate is None else rate, train, axes)


class Attention(nn.Module):
    """Attention in several heads, to keys and values of before and to its own.

    Attributes:
        heads: N.
        out: the initial values of the matrix at its end.
    """

    heads: int
    out: nn.initializers.Initializer

    @nn.compact
    def __call__(
        self, past: tuple[jax.Array, jax.Array], mask: jax.Array, x: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        """Returns the last C keys and values, and y: [B, T, H] -> [B, T, H].

        Args:
            past: keys and values of before, [B, C, N, D].
            mask: which of them and of its own each step sees, [B, 1, T, C + T].
            x: [B, T, H].
        """
        *rows, steps, features = x.shape
        made = nn.Dense(3 * features, use_bias=False, name="queries_keys_values")(x)
        made = made.reshape(*rows, steps, 3, self.heads, features // self.heads)
        queries, *new = jnp.moveaxis(made, -3, 0)
        keys, values = (
            jnp.concatenate(pair, axis=1) for pair in zip(past, new, strict=True)
        )
        context = keys.shape[1] - steps
        y = jax.nn.dot_product_attention(
            rotated(queries, first=context), rotated(keys), values, mask=mask
        ).reshape(x.shape)
        y = nn.Dense(features, use_bias=False, kernel_init=self.out, name="out")(y)
        return (keys[:, steps:], values[:, steps:]), y


def visible(held: jax.Array, steps: int, context: int) -> jax.Array:
    """Returns which places each step attends to, bool [B, 1, T, C + T].

    Args:
        held: how many of the C places before, at their end, hold a token, int [B].
        steps: T.
        context: C.
    """
    step = jnp.arange(steps)[:, None]
    place = jnp.arange(context + steps)
    near = (place >= step) & (place <= step + context)  # [T, C + T]
    filled = place >= context - held[:, None]  # [B, C + T]
    return (near & filled[:, None])[:, None]


def rotated(x: jax.Array, first: int = 0) -> jax.Array:
    """Returns vectors turned by their position: [B, T, N, D], D even.

    A product of two then depends on how far they stand apart, not on where.

    Args:
        x: the first half of a vector is turned against the second.
        first: the position of the first.

    References:
        Su et al., RoFormer: enhanced Transformer with rotary position embedding, 2021,
        https://arxiv.org/abs/2104.09864
    """
    half = x.shape[-1] // 2
    position = first + jnp.arange(x.shape[1])
    angle = position[:, None] * BASE ** (-jnp.arange(half) / half)  # [T, D / 2]
    cos, sin = (f(angle)[:, None].astype(x.dtype) for f in (jnp.cos, jnp.sin))
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
