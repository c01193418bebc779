"""Configuration as frozen dataclasses whose fields know their help and their range.

    @dataclasses.dataclass(frozen=True)
    class Config:
        features: int = option(128, "units a layer", above=0)

        def __post_init__(self):
            check(self)

`launch.flags` turns such a class into command-line flags.
"""

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from rnnlab.errors import InputError

TINY, HUGE = 2.0**-126, 2.0**128  # where float32 begins to be precise, and to be inf


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of a field beside its type and default.

    Attributes:
        help: one line for `--help`.
        choices: the values allowed, or None for any.
        above: the value must be greater than this.
        least: the value must be at least this.
        below: the value must be less than this.
        free: whether the value may change when a run is resumed, or a function that
            tells it from the configuration that the run was begun with.
        soft: whether the value may change in a resumed run that is told to override:
            it says how the run goes on, and the state fits both.
        later: whether older records lack it: what they did is its default.
        listed: whether a value is a list, whose commas part no values in a sweep.
    """

    help: str
    choices: tuple[str, ...] | None = None
    above: float | None = None
    least: float | None = None
    below: float | None = None
    free: bool | Callable[[Any], bool] = False
    soft: bool = False
    later: bool = False
    listed: bool = False


def option(
    default: Any,
    help: str,
    choices: Collection[str] | None = None,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    free: bool | Callable[[Any], bool] = False,
    soft: bool = False,
    later: bool = False,
    listed: bool = False,
) -> Any:
    """Returns a dataclass field that `check` and `launch.flags` understand."""
    known = tuple(choices) if choices is not None else None
    made = Option(help, known, above, least, below, free, soft, later, listed)
    return dataclasses.field(default=default, metadata={"option": made})


def check(config: Any) -> None:
    """Raises InputError for the first field of `config` that is out of its range."""
    for field in dataclasses.fields(config):
        if "option" not in field.metadata:
            continue
        known: Option = field.metadata["option"]
        value = getattr(config, field.name)
        if value is None and none_allowed(field):
            continue
        for wanted, holds in _wanted(known, base(field), value):
            if not holds:
                meant = nearest(str(value), known.choices or ())
                raise InputError(
                    f"--{field.name} must be {wanted}, got {value!r:.80}"
                    f"{meant or '; leave it out for the default.'}"
                )


def from_dict(kind: type, data: Mapping[str, Any]) -> Any:
    """Returns the configuration that `dataclasses.asdict` turned into `data`.

    Raises:
        InputError: a field is missing, and did not come later, or is unknown, or out
            of its range.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if not isinstance(data, Mapping):
        raise InputError(
            f"A recorded configuration must have the fields of {kind.__name__}, got"
            f" {data!r:.80}; use the version that recorded it."
        )
    odd = fields.keys() ^ data.keys()
    if any(name in data or not _later(fields[name]) for name in odd):
        odd = ", ".join(sorted(odd))
        raise InputError(
            f"A recorded configuration must have the fields of {kind.__name__}, but"
            f" {odd} stand in one of them only; use the version that recorded it."
        )
    values = {
        name: from_dict(base(fields[name]), value)
        if dataclasses.is_dataclass(fields[name].type)
        else value
        for name, value in data.items()
    }
    return kind(**values)


def _later(field: Any) -> bool:
    """Returns whether a record may lack the field."""
    return "option" in field.metadata and field.metadata["option"].later


def flat(config: Any) -> dict[str, Any]:
    """Returns all values of a configuration by name, those inside it included."""
    found = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        inside = dataclasses.is_dataclass(value)
        found |= flat(value) if inside else {field.name: value}
    return found


def hard(config: Any) -> dict[str, Any]:
    """Returns the values by name that shapes may hang on: not soft, and no seed."""
    found = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found |= hard(value)
        elif not field.metadata["option"].soft and field.name != "seed":
            found[field.name] = value
    return found


def listed(config: Any) -> set[str]:
    """Returns the names of the settings whose values are lists."""
    found = set()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found |= listed(value)
        elif field.metadata["option"].listed:
            found.add(field.name)
    return found


def replaced(config: Any, values: Mapping[str, Any]) -> Any:
    """Returns the configuration with other values, those inside it included.

    Args:
        config: a dataclass of options.
        values: by name; names that it has not are left to others.

    Raises:
        InputError: a value is out of its range, or does not go with another.
    """
    changes = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = replaced(value, values)
        elif field.name in values:
            changes[field.name] = values[field.name]
    return dataclasses.replace(config, **changes)


def differences(old: Any, new: Any, soft: bool | None = None) -> list[str]:
    """Returns `name: old -> new` for each field that differs and is not free.

    Args:
        old: the configuration that a run was begun with.
        new: another of its class.
        soft: only the fields that are soft, or that are not; None for both.
    """
    found = []
    for field in dataclasses.fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if dataclasses.is_dataclass(before):
            found += differences(before, after, soft)
        elif before != after and not _free(field, old):
            if soft in (None, field.metadata["option"].soft):
                found.append(f"{field.name}: {before!r} -> {after!r}")
    return found


def nearest(name: str, choices: Iterable[str]) -> str:
    """Returns the choices that a misspelt one may have meant, to end a sentence."""
    close = difflib.get_close_matches(name[:80].lower(), choices)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """Returns the numbers of an option such as `--lengths=20,50`.

    Raises:
        InputError: they are not whole numbers with commas between, or none, or one
            stands there twice.
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() and len(part) < 20 for part in parts):
        raise InputError(
            f"--{name} must be whole numbers like 20,50,100, got {text!r}."
        )
    numbers = tuple(int(part) for part in parts)
    if len({*numbers}) < len(numbers):
        raise InputError(f"--{name} must name each number once, got {text!r}.")
    return numbers


def numbers(name: str, text: str) -> tuple[float, ...]:
    """Returns the numbers of an option such as `--learning_rates=1e-3,1e-2`.

    Raises:
        InputError: they are not positive numbers with commas between, or none, or one
            stands there twice.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < number < math.inf for number in found):
        raise InputError(
            f"--{name} must be positive numbers like 1e-3,1e-2, got {text!r}."
        )
    if len({*found}) < len(found):
        raise InputError(f"--{name} must name each number once, got {text!r}.")
    return found


def with_numbers(name: str, made: Any, text: str, but: Collection[str] = ()) -> Any:
    """Returns a dataclass, some of its numbers as in `rounds=5,rank=84`.

    Args:
        name: of the option, for its errors.
        made: an instance.
        text: names and values.
        but: fields that this option does not set.

    Raises:
        InputError: the text has another form, or names no number of `made`, or one
            is out of its range.
    """
    kinds = {
        field.name: base(field)
        for field in dataclasses.fields(made)
        if base(field) in (int, float) and field.name not in but
    }
    values = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        kind = kinds.get(key.strip(), int)
        try:
            values[key.strip()] = kind(value)
        except ValueError:
            values[key.strip()] = None
        if key.strip() not in kinds or values[key.strip()] is None:
            known = ", ".join(f"{k} ({v.__name__})" for k, v in kinds.items())
            raise InputError(
                f"--{name} must give numbers of {type(made).__name__}"
                f" ({known or 'it has none'}) like {next(iter(kinds), 'a')}=1, with"
                f" commas between, got {part!r:.80}."
            )
    try:
        return dataclasses.replace(made, **values)
    except ValueError as error:
        raise InputError(f"--{name} must fit, got {text!r:.80}: {error}") from error


def base(field: Any) -> type:
    """Returns the type of a field's values other than None."""
    kinds = typing.get_args(field.type) or (field.type,)
    return next(kind for kind in kinds if kind is not type(None))


def none_allowed(field: Any) -> bool:
    """Returns whether None is a value of the field."""
    return type(None) in typing.get_args(field.type)


def _free(field: Any, config: Any) -> bool:
    """Returns whether the field may change in a resumed run begun with `config`."""
    known: Option = field.metadata["option"]
    free = known.free
    return free(config) if callable(free) else free


def _wanted(known: Option, kind: type, value: Any) -> Iterator[tuple[str, bool]]:
    """Yields each demand on a value, in words, and whether it holds.

    The type comes first: the caller stops at the first demand that does not hold.
    """
    fits = isinstance(value, (int, float) if kind is float else kind)
    yield kind.__name__, fits and (kind is bool or not isinstance(value, bool))
    if kind is str:
        yield "text without a NUL", "\0" not in str(value)
    if known.choices is not None:
        yield f"one of {', '.join(known.choices)}", value in known.choices
    if kind is float:
        yield "a finite number", abs(value) < math.inf
    if known.above is not None:
        yield f"above {known.above}", value > known.above
    if known.least is not None:
        yield f"at least {known.least}", value >= known.least
    if known.below is not None:
        yield f"below {known.below}", value < known.below
    if kind is float:
        held = value == 0 or TINY <= abs(value) < HUGE
        yield "0 or of a size from 1.2e-38 to 3.4e38, as float32 has", held
    if kind is int and known.below is None:
        yield "below 2**31", value < 2**31
