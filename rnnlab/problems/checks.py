"""What every problem asks of its hyperparameters, checked when it is made."""

from collections.abc import Collection
from typing import Any


def least(owner: Any, name: str, low: int) -> None:
    """Raises ValueError unless the named attribute is an int of `low` or more."""
    value = getattr(owner, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        kind = type(owner).__name__
        raise ValueError(
            f"{kind} needs {name} to be an int of at least {low}, got {value!r};"
            f" pass {kind}({name}={low}), say."
        )


def one_of(owner: Any, name: str, choices: Collection[Any]) -> None:
    """Raises ValueError unless the named attribute is one of `choices`."""
    value = getattr(owner, name)
    if value not in choices:
        raise ValueError(
            f"{type(owner).__name__} needs {name} to be one of"
            f" {', '.join(map(str, choices))}, got {value!r}; choose one of these."
        )
