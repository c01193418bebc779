"""The likeliest text, searched for with a beam."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.nn.generation.prepared import Model, prepare
from rnnlab.nn.generation.reading import Place, follow, read


class Found(NamedTuple):
    """A text that the search has found.

    Attributes:
        tokens: int [T]; the last one ends it, or it is as long as was asked for.
        nats: -log p of the tokens.
        score: log p divided by the length's penalty: the higher, the better.
    """

    tokens: np.ndarray
    nats: float
    score: float


class _Texts(NamedTuple):
    """K texts: tokens [K, T], their numbers [K], log p [K] (-inf for none), scores."""

    tokens: jax.Array
    lengths: jax.Array
    log_p: jax.Array
    scores: jax.Array


class _Search(NamedTuple):
    """The step, the place of each open text, open texts and those that have ended."""

    step: jax.Array
    place: Place
    open: _Texts
    ended: _Texts


def search(
    model: Model,
    params: Any,
    prompt: np.ndarray,
    length: int,
    width: int,
    alpha: float = 0.6,
    end: int | None = None,
) -> list[Found]:
    """Returns the best texts after a prompt, best first: `width` of them at most.

    A text is scored by log p / ((5 + T) / 6)**alpha, T being its tokens with the one
    that ends it. The search is over when no open text can come to a better score than
    the worst of `width` that have ended.

    Args:
        model: the network.
        params: its parameters.
        prompt: a token or more, int [T].
        length: tokens at most.
        width: the open texts that are kept at each step.
        alpha: how much longer texts are favoured, 0 or more; where none ends early,
            all are of one length, and it changes no order.
        end: the token that ends a text; None to write `length` tokens.

    Raises:
        ValueError: the prompt is empty, or not of one axis.

    References:
        Wu et al., Google's neural machine translation system, 2016,
        https://arxiv.org/abs/1609.08144
    """
    first = read(model, params, [prompt])
    model, params = prepare(model, params, width)
    texts = _search(model, length, width, alpha, end, params, first)
    columns = map(np.asarray, texts)
    return [
        Found(tokens[:count], -float(log_p), float(score))
        for tokens, count, log_p, score in zip(*columns, strict=True)
        if np.isfinite(score)
    ]


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _search(model, length, width, alpha, end, params, first):
    """Returns the best texts from the place `first` of one row, best first."""

    def penalty(count):
        return ((5 + count) / 6) ** alpha

    def goes_on(search):
        # A text loses with each token, and its penalty is greatest at the full length.
        hope = jnp.max(search.open.log_p) / penalty(length)
        return (search.step < length) & (hope > jnp.min(search.ended.scores))

    def advance(search):
        step, place, texts, ended = search
        log_p = texts.log_p[:, None] + jax.nn.log_softmax(
            place.logits.astype(jnp.float32)
        )  # [K, V]
        count = step + 1
        if end is not None:
            tokens = texts.tokens.at[:, step].set(end)
            over = _texts(tokens, count, log_p[:, end], penalty(count))
            ended = _best(width, ended, over)
            log_p = log_p.at[:, end].set(-jnp.inf)
        best, index = jax.lax.top_k(log_p.ravel(), width)
        parent, token = jnp.divmod(index, log_p.shape[1])
        tokens = texts.tokens[parent].at[:, step].set(token)
        carries = jax.tree.map(lambda leaf: leaf[parent], place.carries)
        place = follow(model, params, carries, token)
        return _Search(count, place, _texts(tokens, count, best, 1.0), ended)

    place = jax.tree.map(lambda leaf: jnp.repeat(leaf, width, axis=0), first)
    none = _texts(
        jnp.zeros((width, length), jnp.int32), 0, jnp.full(width, -jnp.inf), 1.0
    )
    alone = none._replace(log_p=none.log_p.at[0].set(0))  # the prompt, once
    search = _Search(jnp.int32(0), place, alone, none)
    _, _, texts, ended = jax.lax.while_loop(goes_on, advance, search)
    whole = _texts(texts.tokens, length, texts.log_p, penalty(length))
    return _best(width, ended, whole)


def _texts(tokens, count, log_p, penalty):
    """Returns texts of one length with their scores."""
    lengths = jnp.full(len(tokens), count, jnp.int32)
    return _Texts(tokens, lengths, log_p, log_p / penalty)


def _best(width, texts, others):
    """Returns the best of both, best first."""
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), texts, others)
    _, order = jax.lax.top_k(both.scores, width)
    return jax.tree.map(lambda leaf: leaf[order], both)
