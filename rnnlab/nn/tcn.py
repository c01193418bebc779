"""Causal convolutions, each of which sees twice as far back as the one below."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.nn.dropping import drop
from rnnlab.weights import Normed, norm_merge, norm_split

KERNEL = nn.initializers.normal(0.01)  # as in the authors' code


class TCN(nn.Module):
    """A temporal convolutional network: residual blocks of two causal convolutions.

    F(x) = drop(relu(conv(drop(relu(conv(x))))));  y = relu(x + F(x))

    Block k, from 0, has the dilation 2^k; where it has other features than the block
    below, x goes through a linear map to the sum. Weights are normalised. Before the
    first step stand zeros. It carries the last inputs of each convolution, so that
    nothing is computed twice, whether steps come one by one or in windows.

    Attributes:
        in_features: E, of the input.
        features: of each block, from the input up.
        kernel: K, the inputs that a convolution sees.
        dropout: the share of values set to zero in training, after each convolution.
        dropout_in: the share at the input; None for `dropout`.
        variational: whether a mask of dropout is the same at all steps: the paper's
            spatial dropout.

    References:
        Bai, Kolter, Koltun, An empirical evaluation of generic convolutional and
        recurrent networks for sequence modeling, 2018,
        https://arxiv.org/abs/1803.01271
    """

    in_features: int
    features: tuple[int, ...]
    kernel: int = 3
    dropout: float | jax.Array = 0.0
    dropout_in: float | jax.Array | None = None
    variational: bool = False

    @nn.nowrap
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns zeros: for each convolution its last inputs, [B, (K - 1) 2^k, I]."""
        below = (self.in_features, *self.features)
        return tuple(
            tuple(jnp.zeros((*batch, (self.kernel - 1) * 2**k, size), dtype) for size in
                  (below[k], self.features[k]))
            for k in range(len(self.features))
        )  # fmt: skip

    @nn.compact
    def __call__(
        self, carries: Any, x: jax.Array, train: bool = False
    ) -> tuple[Any, jax.Array]:
        """Returns the carries after the last step and y: [T, B, E] -> [T, B, H].

        In training with dropout, `apply` needs `rngs={"dropout": key}`.
        """
        rate = self.dropout if self.dropout_in is None else self.dropout_in
        x = drop(self, x, rate, train, self._axes)
        after = []
        for k, (carry, features) in enumerate(zip(carries, self.features, strict=True)):
            carry, x = self._block(k, carry, x, features, train)
            after.append(carry)
        return tuple(after), x

    def _block(self, k, carry, x, features, train):
        """Returns one block's carry and output."""
        below, after = x, []
        for name, past in zip(("first", "second"), carry, strict=True):
            conv = CausalConv(features, self.kernel, 2**k, name=f"{name}_{k}")
            past, y = conv(past, below)
            below = drop(self, nn.relu(y), self.dropout, train, self._axes)
            after.append(past)
        if x.shape[-1] != features:
            x = nn.Dense(features, kernel_init=KERNEL, name=f"map_{k}")(x)
        return tuple(after), nn.relu(x + below)

    @property
    def _axes(self):
        """The axes along which a mask is the same."""
        return (0,) if self.variational else ()


class CausalConv(nn.Module):
    """y_t = b + sum_k W_k x_{t - k d}, k from 0 to K - 1; W = g v / |v| by output.

    Attributes:
        features: O, of the output.
        kernel: K, the inputs that it sees.
        dilation: d, the steps between them.

    References:
        Salimans, Kingma, Weight normalization: a simple reparameterization to
        accelerate training of deep neural networks, 2016,
        https://arxiv.org/abs/1602.07868
    """

    features: int
    kernel: int
    dilation: int = 1

    @nn.compact
    def __call__(self, past: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the last inputs and y: [B, (K - 1) d, I], [T, B, I] -> [T, B, O]."""
        shape = (self.kernel * x.shape[-1], self.features)  # the oldest input first
        v = self.param("v", KERNEL, shape)
        g = self.param("g", lambda key: norm_split({"v": v}, ("v",))["v"].g)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        weights = norm_merge({"w": Normed(v, g)})["w"]
        steps = len(x)
        x = jnp.concatenate([past.swapaxes(0, 1), x])  # [(K - 1) d + T, B, I]
        y = jax.lax.conv_general_dilated(
            x,
            weights.reshape(self.kernel, -1, self.features),
            window_strides=(1,),
            padding="VALID",
            rhs_dilation=(self.dilation,),
            dimension_numbers=("WNC", "WIO", "WNC"),
        )
        return x[steps:].swapaxes(0, 1), y + bias
