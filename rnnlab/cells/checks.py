"""What every cell asks of its hyperparameters, checked when it is made."""

import math
from collections.abc import Collection
from typing import Any


def positive(owner: Any, *names: str) -> None:
    """Raises ValueError unless each named attribute is a positive int."""
    for name in names:
        value = getattr(owner, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            kind = type(owner).__name__
            raise ValueError(
                f"{kind} needs {name} to be a positive int, got {value!r};"
                f" pass {kind}({name}=128), say."
            )


def one_of(owner: Any, name: str, choices: Collection[str]) -> None:
    """Raises ValueError unless the named attribute is one of `choices`."""
    value = getattr(owner, name)
    if value not in choices:
        raise ValueError(
            f"{type(owner).__name__} needs {name} to be one of {', '.join(choices)},"
            f" got {value!r}; choose one of these."
        )


def whole_heads(owner: Any) -> None:
    """Raises ValueError unless `heads` is a positive int that divides `features`."""
    positive(owner, "heads")
    if owner.features % owner.heads:
        raise ValueError(
            f"{type(owner).__name__} needs heads to divide features, got"
            f" heads={owner.heads} and features={owner.features}; choose features of"
            f" {owner.features // owner.heads * owner.heads + owner.heads}, say."
        )


def above_zero(owner: Any, *names: str) -> None:
    """Raises ValueError unless each named attribute is a finite number above 0."""
    for name in names:
        value = getattr(owner, name)
        if not _real(value) or value <= 0:
            raise _error(owner, name, value, "above 0")


def not_negative(owner: Any, *names: str) -> None:
    """Raises ValueError unless each named attribute is a finite number of 0 or more."""
    for name in names:
        value = getattr(owner, name)
        if not _real(value) or value < 0:
            raise _error(owner, name, value, "of 0 or more")


def _real(value):
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _error(owner, name, value, wanted):
    kind = type(owner)
    return ValueError(
        f"{kind.__name__} needs {name} to be a number {wanted}, got {value!r}; leave it"
        f" out for {getattr(kind, name)!r}."
    )
