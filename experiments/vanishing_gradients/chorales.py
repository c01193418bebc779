"""Polyphonic music: layers of a cell that predict which keys sound next."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from rnnlab.cell import Cell, Params
from rnnlab.data import music
from rnnlab.data.music import Rolls
from rnnlab.engines import auto
from rnnlab.errors import InputError
from rnnlab.nn import Stack
from rnnlab.training.replicas import Knobs, Learner


class Model(nn.Module):
    """Layers of cells, and the log-odds of each key at the next step.

    Attributes:
        cells: one a layer.
        dropout: the share of values dropped between layers in training.
    """

    cells: tuple[Cell[Any], ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns log-odds [T, B, 88] from keys [T, B, 88]."""
        layers = Stack(self.cells, auto(self.cells[0]), self.dropout)
        carries = layers.initial(x.shape[1:2])
        _, y = layers(carries, x, train)
        return nn.Dense(music.KEYS)(y)


@dataclasses.dataclass(frozen=True, eq=False)
class Chorales:
    """A model and the pieces that it learns.

    Attributes:
        model: see `Model`.
        rolls: the pieces, by split.
        rows: pieces of an update.
        noisy: whether the knob `noise` is the deviation of noise on the input.
    """

    model: Model
    rolls: Mapping[str, Rolls]
    rows: int
    noisy: bool = False

    def __post_init__(self):
        count = len(self.rolls["train"].lengths)
        if self.rows > count:
            raise InputError(
                f"--batch_size must be at most the {count} pieces that there are, got"
                f" {self.rows}."
            )

    def init(self, key: jax.Array, knobs: Knobs) -> Params:
        """Draws the parameters."""
        del knobs
        return self.model.init(key, jnp.zeros((1, 1, music.KEYS)), False)["params"]

    def gradient(
        self, params: Params, key: jax.Array, knobs: Knobs
    ) -> tuple[jax.Array, Params]:
        """Returns nats a step and their gradient on pieces drawn by the key."""
        of_rows, of_noise, of_dropout = jax.random.split(key, 3)
        notes, lengths = self.rolls["train"]
        which = jax.random.choice(of_rows, len(lengths), (self.rows,), replace=False)
        notes, lengths = jnp.asarray(notes)[:, which], jnp.asarray(lengths)[which]
        notes = notes.astype(jnp.float32)
        x = notes[:-1]
        if self.noisy:
            x += knobs["noise"] * jax.random.normal(of_noise, x.shape)

        def loss(params):
            said = self.model.apply(
                {"params": params}, x, True, rngs={"dropout": of_dropout}
            )
            return nats(said, notes[1:], lengths)

        return jax.value_and_grad(loss)(params)

    def error(self, split: str) -> Callable[..., jax.Array]:
        """Returns what tells nats a step on a whole split."""
        notes, lengths = self.rolls[split]

        def measured(params: Params, *_: Any) -> jax.Array:
            rolls = jnp.asarray(notes).astype(jnp.float32)
            said = self.model.apply({"params": params}, rolls[:-1], False)
            return nats(said, rolls[1:], jnp.asarray(lengths))

        return measured

    def learner(
        self, optimizer: Callable[[Knobs], optax.GradientTransformation]
    ) -> Learner:
        """Returns what trains it, judged on valid and measured on test."""
        return Learner(
            self.init, self.gradient, self.error("valid"), optimizer, self.error("test")
        )


def nats(said: Any, notes: jax.Array, lengths: jax.Array) -> jax.Array:
    """Returns the nats a step, summed over keys, the mean over all steps of all pieces.

    Args:
        said: log-odds [T - 1, B, 88].
        notes: what sounds, [T - 1, B, 88].
        lengths: of the pieces, [B]; a piece of n steps has n - 1 that are predicted.
    """
    each = optax.sigmoid_binary_cross_entropy(said, notes).sum(-1)
    counts = jnp.arange(len(each))[:, None] < lengths - 1
    return jnp.sum(jnp.where(counts, each, 0)) / jnp.sum(counts)


def pieces(path: str) -> Mapping[str, Rolls]:
    """Returns the pieces of a configuration's file.

    Raises:
        InputError: no file is named, or it is none of music.
    """
    if not path:
        raise InputError(
            "--data must name a file of polyphonic music, such as"
            " jsb-chorales-quarter.json, got none; see rnnlab/data/music.py."
        )
    return music.load(Path(path).expanduser())
