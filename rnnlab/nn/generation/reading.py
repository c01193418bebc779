"""Reading texts of different lengths side by side, each by its own steps."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.nn.generation.prepared import Model, prepare

PIECE = 64  # steps of a call at most: one program reads texts of any length


class Place(NamedTuple):
    """Where the model stands in the text of each row.

    Attributes:
        carries: of the model; each leaf [B, ...].
        logits: of the token that comes next, [B, V].
    """

    carries: Any
    logits: jax.Array


def read(model: Model, params: Any, prompts: Sequence[np.ndarray]) -> Place:
    """Returns the place after the prompts, a row each.

    A row that has come to its end keeps its carries: what fills up the others' steps
    reaches nothing.

    Args:
        model: the network.
        params: its parameters.
        prompts: a token or more each, int [T], of any lengths.

    Raises:
        ValueError: a prompt is empty, or not of one axis.
    """
    model, params = prepare(model, params, len(prompts))
    place = _begin(model, params, len(prompts))
    for piece in pieces(prompts):
        place = _read(model, params, place, piece)
    return place


def pieces(texts: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields texts side by side, `PIECE` steps at a time.

    Yields:
        The next tokens, int [PIECE, B], and how many each row still has, int [B]; more
        than PIECE where it goes on, 0 or less where it has ended.

    Raises:
        ValueError: a text is empty, or not of one axis; there is no text.
    """
    shapes = [np.shape(text) for text in texts]
    if not shapes or any(len(shape) != 1 or shape == (0,) for shape in shapes):
        raise ValueError(
            f"Texts of one token or more were wanted, an array [T] each, got shapes"
            f" {shapes[:10]}; leave out what is empty."
        )
    lengths = np.array([length for (length,) in shapes], np.int32)
    for start in range(0, lengths.max(), PIECE):
        tokens = np.zeros((PIECE, len(texts)), np.int32)
        for row, text in enumerate(texts):
            part = text[start : start + PIECE]
            tokens[: len(part), row] = part
        yield tokens, lengths - start


def each_step(step: Callable[[Any, Any, Any], Any], state: Any, piece: Any) -> Any:
    """Returns the state after the steps of a piece, as many as its longest row has.

    Args:
        step: takes the state, the tokens and which rows they are of: int and bool [B].
        state: any tree.
        piece: what `pieces` yields.
    """
    tokens, left = piece
    count = jnp.minimum(jnp.max(left), len(tokens))
    return jax.lax.fori_loop(
        0, count, lambda t, state: step(state, tokens[t], t < left), state
    )


def follow(model: Model, params: Any, carries: Any, tokens: jax.Array) -> Place:
    """Returns the place after one more token of each row, [B]."""
    carries, logits = model.apply({"params": params}, carries, tokens[None])
    return Place(carries, logits[0])


def follow_where(
    valid: jax.Array, model: Model, params: Any, place: Place, tokens: jax.Array
) -> Place:
    """Returns the same where a row is valid, bool [B]; the others stay."""

    def leaf(new, old):
        return jnp.where(valid.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(leaf, follow(model, params, place.carries, tokens), place)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _begin(model, params, rows):
    """Returns the place before the first token, where no token is likelier."""
    carries = model.initial((rows,))
    tokens = jnp.zeros(rows, jnp.int32)
    logits = jax.eval_shape(lambda: follow(model, params, carries, tokens)).logits
    return Place(carries, jnp.zeros(logits.shape, logits.dtype))


@functools.partial(jax.jit, static_argnums=0)
def _read(model, params, place, piece):
    """Returns the place after a piece."""

    def step(place, tokens, valid):
        return follow_where(valid, model, params, place, tokens)

    return each_step(step, place, piece)
