"""A split as one long batch, read piece by piece by a trained model.

The rows are those of `EvalStream`: each is a stretch of the text, which a blank state
begins. `in_order` puts what was found back into the order of the text.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.language_modeling.task import LanguageTask
from rnnlab.nn import LanguageModel, dynamic, pointer
from rnnlab.nn.dynamic import Read, Rule, Window

STEPS = 320  # of a row followed in one call, or a window of more; a cache sees as many
LENGTH = 64  # tokens of a row read in one call, where nothing is followed

_read = jax.jit(dynamic.read, static_argnums=0)
_follow = jax.jit(dynamic.follow, static_argnums=0, donate_argnums=2)
_recall = jax.jit(pointer.recall)


def whole(task: LanguageTask, split: str, steps: int | None = None) -> Window:
    """Returns a split as one window, [T, B] with T as long as a row.

    Args:
        task: whose split it is.
        split: train, valid or test.
        steps: T is as much as batches of so many steps have, at most; None for all.
    """
    batches: list[Window] = []
    for batch in itertools.islice(task.batches(split), len(task.streams[split])):
        batches.append(Window(*batch[:3]))
        if steps is not None and sum(len(b.inputs) for b in batches) >= steps:
            break
    return Window(*map(np.concatenate, zip(*batches, strict=True)))


def beginning(text: Window, tokens: int) -> Window:
    """Returns the first steps of all rows, about so many targets in all."""
    steps = max(1, tokens // text.inputs.shape[1])
    return Window(*(a[:steps] for a in text))


def pieces(text: Window, length: int) -> Iterator[Window]:
    """Yields pieces of equal length of a text [T, B], the last one padded."""
    steps = len(text.inputs)
    for start in range(0, steps, length):
        piece = Window(*(a[start : start + length] for a in text))
        lack = length - len(piece.inputs)
        yield Window(*(np.pad(a, ((0, lack), (0, 0))) for a in piece))


def plainly(model: LanguageModel, params: Any, text: Window) -> Iterator[Read]:
    """Yields what the model reads in each piece of a text, its parameters at rest."""
    carries = model.initial(text.inputs.shape[1:])
    for piece in pieces(text, LENGTH):
        carries, found = _read(model, params, carries, piece)
        yield found


def split_costs(task: LanguageTask, params: Any, split: str) -> np.ndarray:
    """Returns the nats of each target of a split, nothing followed, [N]."""
    text = whole(task, split)
    return costs(plainly(task.model, params, text), text)


def following(
    model: LanguageModel, rule: Rule, text: Window, length: int, steps: int = STEPS
) -> Iterator[Read]:
    """Yields what the model reads in each piece, its parameters following the text.

    Args:
        model: the network.
        rule: how they move.
        text: [T, B].
        length: tokens of a row between two steps of the parameters.
        steps: of a row that are followed in one call, in windows of that length.
    """
    turns = max(1, steps // length)
    params = jax.tree.map(jnp.copy, rule.home)
    carries = model.initial(text.inputs.shape[1:])
    for piece in pieces(text, turns * length):
        windows = Window(*(a.reshape(turns, length, -1) for a in piece))
        params, carries, found = _follow(model, rule, params, carries, windows)
        yield Read(*(a.reshape(turns * length, *a.shape[2:]) for a in found))


def costs(reads: Iterable[Read], text: Window) -> np.ndarray:
    """Returns the nats of each target in the order of the text, [N]."""
    nats = np.concatenate([np.asarray(found.nats) for found in reads])
    return in_order(nats, text.mask)


def recalled(
    reads: Iterator[Read], text: Window, size: int, thetas: Iterable[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the nats of each target, and its log-probability by a cache.

    Args:
        reads: what a model reads in the pieces of the text.
        text: [T, B].
        size: pairs that are cached for each row.
        thetas: G of them; see `rnnlab.nn.pointer.recall`.

    Returns:
        [N] and [G, N], in the order of the text.
    """
    first = next(reads)
    cached, length = pointer.empty(size, first.h), len(first.h)
    sharpness = jnp.asarray(list(thetas), jnp.float32)
    nats, log_p = [], []
    for found, piece in zip(
        itertools.chain([first], reads), pieces(text, length), strict=True
    ):
        cached, said = _recall(cached, found.h, piece.targets, sharpness)
        nats.append(np.asarray(found.nats))
        log_p.append(np.asarray(said.transpose(1, 2, 0)))
    by_theta = in_order(np.concatenate(log_p), text.mask)
    return in_order(np.concatenate(nats), text.mask), by_theta.T


def in_order(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns values of targets in the order of the text: [T, B, ...] -> [N, ...]."""
    return values[: len(mask)].swapaxes(0, 1)[mask.T]
