"""What a sweep varies, as text: `cell=lstm,gru;learning_rate=log:1e-4..1e-1`.

A part of it is a setting: its values with commas between, or a range from which one is
drawn, evenly or, after `log:`, evenly in its logarithm. Between values that have commas
themselves there stands a bar: `cell_options=rounds=4|rounds=5,rank=84`.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from absl import flags

from launch.flags import define
from launch.groups import shown
from rnnlab.errors import InputError
from rnnlab.options import listed, nearest

Value = str | int | float | bool | None
DIGITS = 4  # of a number that is drawn: enough to tell, few enough to read


class Axis(Protocol):
    """Where the values of a setting come from."""

    def draw(self, random: np.random.Generator) -> Value:
        """Returns a value."""
        ...


class Choice(NamedTuple):
    """One of some values.

    Attributes:
        values: as the setting has them.
    """

    values: tuple[Value, ...]

    def draw(self, random: np.random.Generator) -> Value:
        """Returns one, each as probable as the others."""
        return self.values[random.integers(len(self.values))]


class Range(NamedTuple):
    """A number between two others.

    Attributes:
        low: the least.
        high: the greatest.
        log: whether its logarithm is uniform, and not the number itself.
        whole: whether it is an integer; both ends are values.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, random: np.random.Generator) -> Value:
        """Returns a number."""
        low, high = self.low, self.high + self.whole  # as wide a share for the last
        at = random.random()
        drawn = low * (high / low) ** at if self.log else low + (high - low) * at
        if self.whole:
            return min(int(drawn), int(self.high))
        return float(f"{drawn:.{DIGITS}g}")


class Settings:
    """The settings of an experiment, which know how their values are read."""

    def __init__(self, config: Any):
        """Reads the names and types of a configuration's flags."""
        self._flags = flags.FlagValues()
        define(config, self._flags)
        self._listed = listed(config)

    def choices(self, option: str, text: str) -> dict[str, tuple[Value, ...]]:
        """Returns the values of each setting of `a=1,2;b=x`, in its order.

        Args:
            option: the flag that the text is the value of, for errors.
            text: what it says.

        Raises:
            InputError: a name or value that the experiment has not, or one twice.
        """
        return {
            name: self._values(option, name, values)
            for name, values in _parts(option, text)
        }

    def members(self, option: str, text: str) -> list[dict[str, Value]]:
        """Returns the settings of each part of `a=1,b=2;a=3,b=2`; raises likewise."""
        return [
            {
                name: self._value(option, name, given)
                for name, given in _parts(option, part.replace(",", ";"))
            }
            for part in text.split(";")
        ]

    def axes(self, option: str, text: str) -> dict[str, Axis]:
        """Returns values and ranges by setting, in their order; raises likewise."""
        return {
            name: self._range(option, name, given)
            if ".." in given
            else Choice(self._values(option, name, given))
            for name, given in _parts(option, text)
        }

    def _values(self, option: str, name: str, text: str) -> tuple[Value, ...]:
        parts = text.split("|" if name in self._listed else ",")
        values = tuple(self._value(option, name, part) for part in parts)
        for place, value in enumerate(values):
            if value in values[:place]:
                raise InputError(
                    f"--{option} must name each value of {name} once, got"
                    f" {shown(value)} twice; leave one out."
                )
        return values

    def _value(self, option: str, name: str, text: str) -> Value:
        if name not in self._flags:
            raise InputError(
                f"--{option} must vary settings of the experiment, got {name!r:.80}"
                f"{nearest(name, self._flags) or '; --help lists them.'}"
            )
        try:
            return self._flags[name].parser.parse(text.strip())
        except ValueError as error:
            raise InputError(
                f"--{option} must have values that --{name} takes, got {text!r:.80}:"
                f" {error}."
            ) from error

    def _range(self, option: str, name: str, text: str) -> Range:
        log, plain = text.startswith("log:"), text.removeprefix("log:")
        low, _, high = plain.partition("..")
        ends = [self._value(option, name, end) for end in (low, high)]
        numbers = all(type(end) in (int, float) for end in ends)
        if not numbers or not ends[0] < ends[1]:
            raise InputError(
                f"--{option} must give {name} a range such as 0..0.5 of numbers that"
                f" rise, got {text!r:.80}."
            )
        if log and not ends[0] > 0:
            raise InputError(
                f"--{option} must give {name} a range above 0 for its logarithm, got"
                f" {text!r:.80}; leave log: out."
            )
        whole = all(isinstance(end, int) for end in ends)
        return Range(float(ends[0]), float(ends[1]), log, whole)


def grid(axes: Mapping[str, Sequence[Value]]) -> Iterator[dict[str, Value]]:
    """Yields all combinations of values, the last setting changing fastest."""
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def size(axes: Mapping[str, Sequence[Value]]) -> int:
    """Returns how many combinations there are, without making one."""
    return math.prod(map(len, axes.values()))


def draws(axes: Mapping[str, Axis], count: int, seed: int) -> list[dict[str, Value]]:
    """Returns `count` draws, equal ones once; a longer list begins as a shorter one."""
    found: list[dict[str, Value]] = []
    for place in range(count):
        random = np.random.default_rng((seed, place))
        drawn = {name: axis.draw(random) for name, axis in axes.items()}
        if drawn not in found:
            found.append(drawn)
    return found


def _parts(option: str, text: str) -> list[tuple[str, str]]:
    """Returns names and what they are given.

    Raises:
        InputError: one has no value, or a name stands there twice.
    """
    parts = [part.strip() for part in text.split(";") if part.strip()]
    found = []
    for part in parts:
        name, equals, given = (piece.strip() for piece in part.partition("="))
        if not (name and equals and given):
            raise InputError(
                f"--{option} must be settings with values like 'cell=lstm,gru;layers="
                f"1,2', got {part!r:.80}."
            )
        found.append((name, given))
    names = [name for name, _ in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"--{option} must name each setting once, got {twice} twice; give all its"
            f" values in one place."
        )
    if not parts:
        raise InputError(
            f"--{option} must vary something like 'cell=lstm,gru', got {text!r}; leave"
            f" it out for no variation."
        )
    return found
