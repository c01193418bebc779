"""The benchmarks' layers and language models in other libraries, one file each."""

import importlib
from types import ModuleType

from rnnlab.errors import InputError


def load(suite: str, *names: str) -> dict[str, ModuleType]:
    """Returns the modules of the libraries named, which only this needs installed.

    Raises:
        InputError: one of the libraries is not installed.
    """
    try:
        return {name: importlib.import_module(f"launch.peers.{name}") for name in names}
    except ModuleNotFoundError as error:
        raise InputError(
            f"--suite={suite} needs the extra peers, but {error.name} is not installed;"
            f" run pip install -e '.[peers]'."
        ) from error
