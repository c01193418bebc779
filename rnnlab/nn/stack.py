"""Layers one above the other, and the ways to join a layer to the one below."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan
from rnnlab.nn.dropping import drop
from rnnlab.nn.recurrent import Recurrent

CONNECTIONS = ("plain", "residual", "highway", "skip")


def initial(
    cells: tuple[Cell[Any], ...], batch: tuple[int, ...], dtype: Any = jnp.float32
) -> Any:
    """Returns the carries of layers of cells before the first step."""
    return tuple(cell.initial(batch, dtype) for cell in cells)


class Stack(nn.Module):
    """Layers one above the other, with dropout at the input of each and at the end.

    Dropout is where Zaremba et al. put it: between layers and never on the way from
    one step to the next. Its masks are drawn anew for each step, or, if `variational`,
    once for all steps, as Gal and Ghahramani do.

    Attributes:
        cells: one a layer, from the input up.
        engine: how the steps of each layer are executed.
        dropout: the share of values set to zero in training.
        dropout_in: the share at the input of the first layer; None for `dropout`.
        dropout_out: the share at the output of the last; None for `dropout`.
        variational: whether a mask is the same at all steps.
        weight_drop: the share of the entries of each layer's recurrent matrices that
            are zero for a sequence in training.
        connect: how layers are joined, from the second on: "plain", a layer's output
            is the next one's input; "residual", the sum of its input, before dropout,
            and output is; "highway", their mean by a learned gate; "skip", each layer
            also sees the input of the first, and y is all layers' outputs side by side.

    References:
        Zaremba, Sutskever, Vinyals, Recurrent neural network regularization, 2014,
        https://arxiv.org/abs/1409.2329
        Gal, Ghahramani, A theoretically grounded application of dropout in recurrent
        neural networks, 2016, https://arxiv.org/abs/1512.05287
        Srivastava, Greff, Schmidhuber, Highway networks, 2015,
        https://arxiv.org/abs/1505.00387
        Graves, Generating sequences with recurrent neural networks, 2013,
        https://arxiv.org/abs/1308.0850 (skip)
        Merity, Keskar, Socher, Regularizing and optimizing LSTM language models, 2018,
        https://arxiv.org/abs/1708.02182 (weight_drop)
    """

    cells: tuple[Cell[Any], ...]
    engine: Engine = Scan()
    dropout: float | jax.Array = 0.0
    dropout_in: float | jax.Array | None = None
    dropout_out: float | jax.Array | None = None
    variational: bool = False
    weight_drop: float = 0.0
    connect: str = "plain"

    @nn.nowrap
    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        """Returns the carries of all layers before the first step."""
        return initial(self.cells, batch, dtype)

    @nn.compact
    def __call__(
        self,
        carries: Any,
        x: jax.Array,
        train: bool = False,
        *,
        lengths: jax.Array | None = None,
        reset: jax.Array | None = None,
    ) -> tuple[Any, jax.Array]:
        """Returns the carries after the last step and y: [T, B, I] -> [T, B, H].

        In training with dropout, `apply` needs `rngs={"dropout": key}`.

        Args:
            carries: one a layer; None for the starts of all.
            x: [T, B, I].
            train: whether anything is dropped.
            lengths: int [B], the steps of each row that count.
            reset: bool [T, B], steps before which the carries are the start again.

        Raises:
            ValueError: an unknown connection, or one between layers of different
                features.
        """
        if self.connect not in CONNECTIONS:
            raise ValueError(
                f"Stack needs connect to be one of {', '.join(CONNECTIONS)}, got"
                f" {self.connect!r}; choose one of these."
            )
        carries = (None,) * len(self.cells) if carries is None else carries
        below, after, outputs = x, [], []
        for k, (cell, carry) in enumerate(zip(self.cells, carries, strict=True)):
            if k and self.connect == "skip":
                below = jnp.concatenate([below, x], axis=-1)
            seen = self._drop(below, self.dropout if k else self.dropout_in, train)
            layer = Recurrent(cell, self.engine, self.weight_drop)
            carry, y = layer(carry, seen, lengths=lengths, reset=reset, train=train)
            if k and self.connect in ("residual", "highway"):
                _check_features(self.connect, below, y)
                y = below + y if self.connect == "residual" else Highway()(below, y)
            below = y
            after.append(carry)
            outputs.append(y)
        if outputs and self.connect == "skip":
            below = jnp.concatenate(outputs, axis=-1)
        return tuple(after), self._drop(below, self.dropout_out, train)

    def _drop(self, x, rate, train):
        """Returns x after dropout, at the layers' own rate where there is none."""
        axes = (0,) if self.variational else ()
        return drop(self, x, self.dropout if rate is None else rate, train, axes)


class Highway(nn.Module):
    """A gate that chooses, unit by unit, between a layer's input and its output."""

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """Returns t y + (1 - t) x, t = sigmoid(W x + b): [..., H] each.

        b is -1 at the start: what stands below is mostly handed on.
        """
        bias = nn.initializers.constant(-1.0)
        t = nn.sigmoid(nn.Dense(x.shape[-1], bias_init=bias, dtype=x.dtype)(x))
        return x + t * (y - x)


def _check_features(connect: str, x: jax.Array, y: jax.Array) -> None:
    """Raises unless the layer has as many features as the one below."""
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"connect={connect!r} needs layers of equal features, got a layer of"
            f" {y.shape[-1]} above one of {x.shape[-1]}; make them equal or use"
            f" connect='skip'."
        )
