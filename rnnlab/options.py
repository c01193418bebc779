"""Configuration as frozen dataclasses whose fields know their help and their range.

    @dataclasses.dataclass(frozen=True)
    class Config:
        features: int = option(128, "units a layer", above=0)

        def __post_init__(self):
            check(self)

`launch.flags` turns such a class into command-line flags.
"""

import dataclasses
import math
from collections.abc import Collection
from typing import Any

from rnnlab.errors import InputError


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of a field beside its type and default.

    Attributes:
        help: one line for `--help`.
        choices: the values allowed, or None for any.
        above: the value must be greater than this.
        least: the value must be at least this.
        below: the value must be less than this.
    """

    help: str
    choices: tuple[str, ...] | None = None
    above: float | None = None
    least: float | None = None
    below: float | None = None


def option(
    default: Any,
    help: str,
    choices: Collection[str] | None = None,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
) -> Any:
    """Returns a dataclass field; a default of None means that None turns it off."""
    known = tuple(choices) if choices is not None else None
    metadata = {"option": Option(help, known, above, least, below)}
    return dataclasses.field(default=default, metadata=metadata)


def check(config: Any) -> None:
    """Raises InputError for the first field of `config` that is out of its range."""
    for field in dataclasses.fields(config):
        if "option" not in field.metadata:
            continue
        known: Option = field.metadata["option"]
        value = getattr(config, field.name)
        if value is None and field.default is None:
            continue
        for wanted, holds in _wanted(known, value):
            if not holds:
                raise InputError(
                    f"--{field.name} must be {wanted}, got {value!r};"
                    f" the default is {field.default!r}."
                )


def _wanted(known: Option, value: Any):
    """Yields each demand on a value, in words, and whether it holds."""
    if known.choices is not None:
        yield f"one of {', '.join(known.choices)}", value in known.choices
    if isinstance(value, float):
        yield "a finite number", math.isfinite(value)
    if known.above is not None:
        yield f"above {known.above:g}", value > known.above
    if known.least is not None:
        yield f"at least {known.least:g}", value >= known.least
    if known.below is not None:
        yield f"below {known.below:g}", value < known.below
