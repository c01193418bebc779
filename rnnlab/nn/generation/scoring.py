"""What a model thinks of given texts."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.nn.generation.prepared import Model, prepare
from rnnlab.nn.generation.reading import (
    each_step,
    follow_where,
    pieces,
    read,
)

ROWS = 64  # texts that are scored side by side


def score(
    model: Model, params: Any, prompt: np.ndarray, texts: Sequence[np.ndarray]
) -> np.ndarray:
    """Returns the nats that each text costs after the prompt: float [N].

    The sum of -log p over the text's tokens; divide by their number for the mean.

    Args:
        model: the network.
        params: its parameters.
        prompt: a token or more, int [T]; it is read once.
        texts: a token or more each, int [T], of any lengths.

    Raises:
        ValueError: the prompt or a text is empty, or not of one axis.
    """
    start = read(model, params, [prompt])
    batches = [texts[first : first + ROWS] for first in range(0, len(texts), ROWS)]
    return np.concatenate([_costs(model, params, start, batch) for batch in batches])


def _costs(model, params, start, texts):
    """Returns the nats of some texts, each from the place `start` of one row."""
    place = jax.tree.map(lambda leaf: jnp.repeat(leaf, len(texts), axis=0), start)
    model, params = prepare(model, params, len(texts))
    nats = np.zeros(len(texts))
    for piece in pieces(texts):
        place, more = _cost(model, params, place, piece)
        nats += np.asarray(more)
    return nats


@functools.partial(jax.jit, static_argnums=0)
def _cost(model, params, place, piece):
    """Returns the place after a piece, and the nats of each row's part of it, [B]."""

    def step(state, tokens, valid):
        place, nats = state
        log_p = jax.nn.log_softmax(place.logits.astype(jnp.float32))
        cost = -jnp.take_along_axis(log_p, tokens[:, None], axis=-1)[:, 0]
        place = follow_where(valid, model, params, place, tokens)
        return place, nats + jnp.where(valid, cost, 0)

    nats = jnp.zeros(place.logits.shape[0], jnp.float32)
    return each_step(step, (place, nats), piece)
