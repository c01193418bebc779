"""The settings of ways to read a text beside the plain one."""

import dataclasses
from collections.abc import Mapping

from rnnlab.errors import InputError
from rnnlab.options import check, option

RATES = {"rms": 3e-5, "sgd": 0.03}  # by rule, where none is given


@dataclasses.dataclass(frozen=True)
class Dynamic:
    """Dynamic evaluation; see `rnnlab.nn.dynamic`."""

    dynamic: str = option(
        "none",
        "how parameters follow the text: not; by gradients over their usual size; or"
        " by gradients as they are",
        choices=("none", "rms", "sgd"),
    )
    dynamic_length: int = option(
        5, "tokens of a row between two steps", above=0, below=2**16
    )
    dynamic_rate: float | None = option(
        None, "of a step; by default 3e-5 for rms, 0.03 for sgd", least=0
    )
    dynamic_decay: float = option(
        0.001, "share of the way back to the trained weights at a step", least=0
    )

    def __post_init__(self):
        check(self)

    @property
    def on(self) -> bool:
        """Whether parameters follow at all."""
        return self.dynamic != "none"

    @property
    def rate(self) -> float:
        """The rate that is meant."""
        given = self.dynamic_rate
        return RATES.get(self.dynamic, 0.0) if given is None else given


@dataclasses.dataclass(frozen=True)
class Cache:
    """The neural cache; see `rnnlab.nn.pointer`."""

    cache_size: int | None = option(
        None, "states that are remembered; by default no cache", above=0, below=10**6
    )
    cache_theta: float = option(0.3, "how sharply states are told apart", least=0)
    cache_lambda: float = option(
        0.1, "share of the probability that the cache has", least=0, below=1
    )

    def __post_init__(self):
        check(self)

    @property
    def on(self) -> bool:
        """Whether there is a cache."""
        return self.cache_size is not None


@dataclasses.dataclass(frozen=True)
class Way:
    """Both together; by default plain evaluation."""

    dynamic: Dynamic = Dynamic()
    cache: Cache = Cache()

    @property
    def settings(self) -> dict[str, str | int | float]:
        """The settings that matter, by name."""
        found = {}
        if self.dynamic.on:
            found |= dataclasses.asdict(self.dynamic)
            found["dynamic_rate"] = self.dynamic.rate
        return found | (dataclasses.asdict(self.cache) if self.cache.on else {})


def ways(dynamic: Dynamic, cache: Cache) -> Mapping[str, Way]:
    """Returns the ways to compare by name: plain, each alone, and both together.

    Raises:
        InputError: both are off, or settings of one that is off are given.
    """
    if not dynamic.on and not cache.on:
        raise InputError(
            "--dynamic=rms, --dynamic=sgd or --cache_size is wanted, got none of them;"
            " pass one, or run launch.evaluate for plain evaluation."
        )
    for part, wanted in ((dynamic, "--dynamic=rms or sgd"), (cache, "--cache_size")):
        for name, value in () if part.on else vars(part).items():
            if value != getattr(type(part)(), name):
                raise InputError(
                    f"--{name} needs {wanted}, got {value} without; add that, or leave"
                    f" it out."
                )
    found = {"plain": Way()}
    if dynamic.on:
        found["dynamic"] = Way(dynamic)
    if cache.on:
        found["cache"] = Way(cache=cache)
    if dynamic.on and cache.on:
        found["dynamic and cache"] = Way(dynamic, cache)
    return found
