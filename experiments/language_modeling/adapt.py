"""A trained model that follows the text it reads, and the settings that suit it."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from experiments.language_modeling import reading
from experiments.language_modeling.task import LanguageTask
from experiments.language_modeling.ways import Cache, Dynamic, Way
from rnnlab.errors import InputError
from rnnlab.nn import dynamic, pointer
from rnnlab.nn.dynamic import Read, Window

# What is tried: multiples of the rate that is given, and values of the others.
FACTORS = 0.1, 0.3, 1.0, 3.0, 10.0
DECAYS = 0.0, 0.001, 0.003, 0.01
THETAS = 0.03, 0.1, 0.2, 0.3, 0.5, 1.0
SHARES = 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5

Settings = TypeVar("Settings", Dynamic, Cache)


@dataclasses.dataclass(frozen=True)
class Adapting:
    """A trained model, and what it needs to follow a text.

    Attributes:
        task: with the model.
        params: trained.
        size: of gradients in training, by `sizes`, for the rule "rms".
    """

    task: LanguageTask
    params: Any
    size: Any = None

    def costs(self, way: Way, text: Window) -> np.ndarray:
        """Returns the nats of each target in a way of reading, [N]."""
        reads = self._reads(way.dynamic, text)
        if not way.cache.on:
            return reading.costs(reads, text)
        thetas = [way.cache.cache_theta]
        nats, (log_p,) = reading.recalled(reads, text, way.cache.cache_size, thetas)
        return np.asarray(pointer.mixed(nats, log_p, way.cache.cache_lambda))

    def tuned(self, ways: Mapping[str, Way], text: Window) -> dict[str, Way]:
        """Returns ways by name, with the settings that make a text cheapest.

        The rate comes first, then the decay with that rate, then theta and lambda
        together; those that are given are tried too. All ways that follow the text
        do so alike.

        Raises:
            InputError: the loss is not finite with any rate.
        """
        dynamic = {way.dynamic for way in ways.values()}
        best = {one: self._tuned_dynamic(one, text) for one in dynamic if one.on}
        found = {}
        for name, way in ways.items():
            way = Way(best.get(way.dynamic, way.dynamic), way.cache)
            cache = self._tuned_cache(way, text) if way.cache.on else way.cache
            found[name] = Way(way.dynamic, cache)
        return found

    def _tuned_dynamic(self, best: Dynamic, text: Window) -> Dynamic:
        """Returns the best rate, and the best decay with that rate."""
        for name, values in (
            ("dynamic_rate", [best.rate * factor for factor in FACTORS]),
            ("dynamic_decay", sorted({best.dynamic_decay, *DECAYS})),
        ):
            tried = [dataclasses.replace(best, **{name: v}) for v in values]
            means = [self.costs(Way(one), text).mean() for one in tried]
            best = _cheapest(tried, means)
        return best

    def _tuned_cache(self, way: Way, text: Window) -> Cache:
        """Returns the best theta and lambda of all pairs: the text is read once."""
        thetas = sorted({way.cache.cache_theta, *THETAS})
        shares = sorted({way.cache.cache_lambda, *SHARES})
        reads = self._reads(way.dynamic, text)
        nats, by_theta = reading.recalled(reads, text, way.cache.cache_size, thetas)
        tried, means = [], []
        for (theta, log_p), share in itertools.product(
            zip(thetas, by_theta, strict=True), shares
        ):
            tried.append(
                dataclasses.replace(way.cache, cache_theta=theta, cache_lambda=share)
            )
            means.append(np.mean(pointer.mixed(nats, log_p, share)))
        return _cheapest(tried, means)

    def _reads(self, settings: Dynamic, text: Window) -> Iterator[Read]:
        """Yields what the model reads in each piece of a text."""
        model = self.task.model
        match settings.dynamic:
            case "none":
                return reading.plainly(model, self.params, text)
            case "rms":
                rule = dynamic.scaled(
                    self.params, self.size, settings.rate, settings.dynamic_decay
                )
            case _:
                rule = dynamic.plain(self.params, settings.rate, settings.dynamic_decay)
        return reading.following(model, rule, text, settings.dynamic_length)


def sizes(task: LanguageTask, params: Any, length: int, count: int) -> Any:
    """Returns the sizes of gradients on the training split; see `dynamic.sizes`.

    Args:
        task: whose training split is read, without dropout.
        params: trained.
        length: tokens of a row between two steps of the parameters.
        count: windows of so many tokens that are read, from the first on, at most.
    """
    text = reading.whole(task, "train", length * count)
    carries = task.memory("train")
    windows = itertools.islice(reading.pieces(text, length), count)
    return dynamic.sizes(task.model, params, carries, windows)


def _cheapest(tried: Sequence[Settings], means: Sequence[float]) -> Settings:
    """Returns the settings with the least mean, of those with a finite one."""
    found = np.where(np.isfinite(means), means, np.inf)
    if np.isinf(found).all():
        raise InputError(
            f"A rate that keeps the loss finite was wanted, and of those from"
            f" {tried[0]} on none does; lower --dynamic_rate."
        )
    return tried[int(np.argmin(found))]
