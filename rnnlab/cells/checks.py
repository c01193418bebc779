"""What every cell asks of its hyperparameters, checked when it is made."""

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
