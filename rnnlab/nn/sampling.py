"""Drawing tokens from a language model, one after the other, in one compiled loop."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.errors import InputError
from rnnlab.nn.language_model import LanguageModel
from rnnlab.options import check, option

CHUNK = 16  # tokens a call of the compiled loop; the reader waits for this many


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How the next token is drawn from the model's distribution."""

    temperature: float = option(
        1.0, "divides the logits; 0 takes the likeliest token", least=0
    )
    top_k: int | None = option(None, "draw from the k likeliest tokens", above=0)
    top_p: float | None = option(
        None, "draw from the likeliest tokens that hold this probability", above=0
    )

    def __post_init__(self):
        check(self)
        if self.top_p is not None and self.top_p > 1:
            raise InputError(
                f"--top_p must be at most 1, got {self.top_p}; 1 keeps every token."
            )

    def filter(self, logits: jax.Array) -> jax.Array:
        """Returns scaled logits, -inf where a token may not be drawn: [..., V].

        References:
            Holtzman et al., The curious case of neural text degeneration, 2020,
            https://arxiv.org/abs/1904.09751 (`top_p`)
        """
        if self.temperature == 0:
            best = jnp.max(logits, axis=-1, keepdims=True)
            return jnp.where(logits == best, 0.0, -jnp.inf)
        logits = logits / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = jax.lax.top_k(logits, self.top_k)[0][..., -1:]
            logits = jnp.where(logits < least, -jnp.inf, logits)
        if self.top_p is not None and self.top_p < 1:
            ordered = jnp.sort(logits, axis=-1, descending=True)
            p = jax.nn.softmax(ordered, axis=-1)
            before = jnp.cumsum(p, axis=-1) - p
            within = jnp.where(before < self.top_p, ordered, jnp.inf)
            least = jnp.min(within, axis=-1, keepdims=True)
            logits = jnp.where(logits < least, -jnp.inf, logits)
        return logits


def sample(
    model: LanguageModel,
    params: Any,
    prompt: np.ndarray,
    length: int,
    key: jax.Array,
    sampling: Sampling,
) -> Iterator[np.ndarray]:
    """Yields the tokens that follow `prompt`, a step at a time: int [B] each.

    Args:
        model: the network.
        params: its parameters.
        prompt: one token or more of each row, int [T, B].
        length: tokens to draw.
        key: of the draws.
        sampling: how to draw.
    """
    carries = model.initial(prompt.shape[1:])
    carries, logits = jax.jit(_read, static_argnums=0)(model, params, carries, prompt)
    for start in range(0, length, CHUNK):
        chunk_key = jax.random.fold_in(key, start)
        carries, logits, tokens = _draw(
            model, sampling, params, carries, logits, chunk_key
        )
        yield from np.asarray(tokens)[: length - start]


def _read(model, params, carries, tokens):
    """Returns the carries after `tokens` [T, B] and the logits that follow, [B, V]."""
    carries, logits = model.apply({"params": params}, carries, tokens)
    return carries, logits[-1]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _draw(model, sampling, params, carries, logits, key):
    """Returns carries, logits and the next `CHUNK` tokens, [CHUNK, B]."""

    def step(state, key):
        carries, logits = state
        token = jax.random.categorical(key, sampling.filter(logits))
        return _read(model, params, carries, token[None]), token

    keys = jax.random.split(key, CHUNK)
    (carries, logits), tokens = jax.lax.scan(step, (carries, logits), keys)
    return carries, logits, tokens
