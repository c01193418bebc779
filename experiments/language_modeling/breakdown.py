"""Where the nats of a text go: to rare words, to line starts, to which tokens."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.language_modeling import reading
from experiments.language_modeling.task import LanguageTask

BINS = 10  # of confidence


class Told(NamedTuple):
    """What a model said of each target, in the order of the text.

    Attributes:
        targets: int [N].
        nats: [N].
        confidence: the probability of the likeliest token, [N].
        right: whether that was the target, bool [N].
        since_start: tokens of its row before it that were read, int [N].
    """

    targets: np.ndarray
    nats: np.ndarray
    confidence: np.ndarray
    right: np.ndarray
    since_start: np.ndarray


def told(task: LanguageTask, params: Any, split: str) -> Told:
    """Reads a split and returns what the model said of each target."""
    text = reading.whole(task, split)

    def judged(given):
        return task.model.apply({"params": params}, *given, method=_judged)

    # Step by step: the logits of a piece of a large vocabulary would take gigabytes.
    judge = jax.jit(lambda *given: jax.lax.map(judged, given))
    reads = reading.plainly(task.model, params, text)
    found = []
    for read, piece in zip(reads, reading.pieces(text, reading.LENGTH), strict=True):
        found.append(jax.device_get((read.nats, *judge(read.h, piece.targets))))
    parts = (np.concatenate(part) for part in zip(*found, strict=True))
    steps = np.broadcast_to(np.arange(len(text.inputs))[:, None], text.inputs.shape)
    nats, confidence, right, targets, since = (
        reading.in_order(np.asarray(a), text.mask)
        for a in (*parts, text.targets, steps + 1)
    )
    return Told(targets, nats, confidence, right, since)


def _judged(model, h, targets):
    """Returns the likeliest token's probability, and whether it is the target."""
    logits = model.logits(h)
    top = jnp.max(logits, axis=-1) - jax.nn.logsumexp(logits, axis=-1)
    return jnp.exp(top), jnp.argmax(logits, axis=-1) == targets


class Group(NamedTuple):
    """Targets of one kind.

    Attributes:
        name: what they have in common.
        count: how many there are.
        mean: their mean nats.
        total: the sum of their nats.
        share: of all nats.
    """

    name: str
    count: int
    mean: float
    total: float
    share: float


def by_frequency(told: Told, counts: np.ndarray) -> list[Group]:
    """Returns targets by how often they stand in train: 0, 1 to 9, 10 to 99, ...

    Args:
        told: of the model.
        counts: of each token in train, int [V].
    """
    often = counts[told.targets]
    digits = np.searchsorted(10 ** np.arange(12), often, side="right")  # none has 0
    return _groups(told.nats, digits, lambda d: _range(10 ** (d - 1), 10**d - 1, d))


def by_place(told: Told, since: np.ndarray) -> list[Group]:
    """Returns targets by the tokens read since something: 0, 1, 2 to 3, 4 to 7, ..."""
    doubled = np.searchsorted(2 ** np.arange(31), since, side="right")
    return _groups(told.nats, doubled, lambda d: _range(2 ** (d - 1), 2**d - 1, d))


def since_line_end(ends: np.ndarray) -> np.ndarray:
    """Returns the tokens between each target and the line end before it, int [N].

    The text's first token, which is no target, begins a line.

    Args:
        ends: which targets hold a line end, bool [N].
    """
    places = np.arange(1, len(ends) + 1)
    starts = np.where(ends, places + 1, 0)
    return places - np.maximum.accumulate(np.append(0, starts)[:-1])


class Bin(NamedTuple):
    """Predictions of like confidence.

    Attributes:
        low: the least confidence of the bin.
        high: the greatest.
        count: predictions in it.
        confidence: their mean confidence, None where there are none.
        accuracy: the share that was right, None where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability(told: Told) -> list[Bin]:
    """Returns the likeliest tokens by their probability, in `BINS` of equal width."""
    place = np.minimum((told.confidence * BINS).astype(int), BINS - 1)
    found = []
    for k in range(BINS):
        those = place == k
        count = int(those.sum())
        both = [float(a[those].mean()) for a in (told.confidence, told.right) if count]
        found.append(Bin(k / BINS, (k + 1) / BINS, count, *(both or (None, None))))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """Returns the mean distance of confidence and accuracy, a bin by its count.

    References:
        Guo et al., On calibration of modern neural networks, 2017,
        https://arxiv.org/abs/1706.04599
    """
    filled = [b for b in bins if b.count]
    total = sum(b.count for b in filled)
    return sum(b.count * abs(b.confidence - b.accuracy) for b in filled) / total


def dearest_types(told: Told, names: Sequence[str], most: int) -> list[Group]:
    """Returns the tokens that cost most in all, the dearest first.

    Args:
        told: of the model.
        names: of the ids, [V].
        most: how many.
    """
    groups = _groups(told.nats, told.targets, lambda i: names[i])
    return sorted(groups, key=lambda g: -g.total)[:most]


def dearest_places(told: Told, most: int) -> np.ndarray:
    """Returns where the dearest targets stand, the dearest first: int [most]."""
    return np.argsort(-told.nats, kind="stable")[:most]


def _groups(nats, kinds, name) -> list[Group]:
    """Returns the groups of equal kinds, in their order."""
    found, place, count = np.unique(kinds, return_inverse=True, return_counts=True)
    totals = np.bincount(place, nats.astype(np.float64))
    return [
        Group(name(int(kind)), int(n), float(t / n), float(t), float(t / totals.sum()))
        for kind, n, t in zip(found, count, totals, strict=True)
    ]


def _range(low, high, kind):
    """Returns the numbers of a kind in words."""
    if kind == 0:
        return "0"
    return str(low) if low == high else f"{low:,} to {high:,}"
