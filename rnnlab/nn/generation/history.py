"""The tokens of each row so far, and the penalty for their repetition."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class History(NamedTuple):
    """The tokens of each row that count as said.

    Attributes:
        counts: how often each was said, int [B, V].
        recent: the tokens that will leave it, the oldest first, int [B, W]; V stands
            for none. W is 0 where none leaves.
    """

    counts: jax.Array
    recent: jax.Array


def begin(prompts: Sequence[np.ndarray], size: int, window: int | None) -> History:
    """Returns what the prompts said.

    Args:
        prompts: int [T] each.
        size: V.
        window: the newest tokens of a row that count; None for all.
    """
    width = window or 0
    counts = np.zeros((len(prompts), size), np.int32)
    recent = np.full((len(prompts), width), size, np.int32)
    for row, prompt in enumerate(prompts):
        newest = np.asarray(prompt)[-width:]  # all of it where the width is 0
        np.add.at(counts[row], newest, 1)
        if width:
            recent[row, width - len(newest) :] = newest
    return History(jnp.asarray(counts), jnp.asarray(recent))


def add(history: History, tokens: jax.Array) -> History:
    """Returns the history after one more token of each row, [B]."""
    counts, recent = history
    rows = jnp.arange(len(tokens))
    counts = counts.at[rows, tokens].add(1)
    if recent.shape[1]:
        counts = counts.at[rows, recent[:, 0]].add(-1, mode="drop")
        recent = jnp.concatenate([recent[:, 1:], tokens[:, None]], axis=1)
    return History(counts, recent)


def penalised(logits: jax.Array, history: History, penalty: float) -> jax.Array:
    """Returns logits [B, V] that are lower where the token was said already.

    A positive one is divided by the penalty, a negative one multiplied: the paper's
    division would make what has a negative logit likelier. The logits of a softmax are
    taken as they are; where an output gives log-probabilities, none is positive.

    References:
        Keskar et al., CTRL: a conditional transformer language model for controllable
        generation, 2019, https://arxiv.org/abs/1909.05858
    """
    lower = jnp.where(logits > 0, logits / penalty, logits * penalty)
    return jnp.where(history.counts > 0, lower, logits)
