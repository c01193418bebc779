"""Drawing tokens one after the other, many in one compiled loop."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from rnnlab.nn.generation import history as said
from rnnlab.nn.generation.prepared import Model, prepare
from rnnlab.nn.generation.reading import follow, read
from rnnlab.nn.generation.sampling import UNIFORMS, Sampling, draw

CHUNK = 16  # tokens a call of the compiled loop; the reader waits for this many


def sample(
    model: Model,
    params: Any,
    prompts: Sequence[np.ndarray],
    length: int,
    key: jax.Array,
    sampling: Sampling,
) -> Iterator[np.ndarray]:
    """Yields the tokens that follow the prompts, a step at a time: int [B] each.

    Args:
        model: the network.
        params: its parameters.
        prompts: a token or more of each row, int [T]; of any lengths.
        length: tokens to draw.
        key: of the draws.
        sampling: how to draw.

    Raises:
        ValueError: a prompt is empty, or not of one axis.
    """
    place = read(model, params, prompts)
    history = None
    if sampling.repetition_penalty != 1:
        size = place.logits.shape[-1]
        history = said.begin(prompts, size, sampling.repetition_window)
    model, params = prepare(model, params, len(prompts))
    for start in range(0, length, CHUNK):
        state, tokens = _draw(
            model, sampling, params, (place, history), jax.random.fold_in(key, start)
        )
        place, history = state
        yield from np.asarray(tokens)[: length - start]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _draw(model, sampling, params, state, key):
    """Returns place and history after the next `CHUNK` tokens, and these, [CHUNK, B].

    The history is None where nothing is penalised.
    """

    def step(state, uniforms):
        place, history = state
        logits = place.logits
        if history is not None:
            logits = said.penalised(logits, history, sampling.repetition_penalty)
        tokens = draw(sampling.filter(logits), uniforms)
        if history is not None:
            history = said.add(history, tokens)
        return (follow(model, params, place.carries, tokens), history), tokens

    rows = state[0].logits.shape[0]
    uniforms = jax.random.uniform(key, (CHUNK, UNIFORMS, rows, 1))
    return jax.lax.scan(step, state, uniforms)
