"""The experiments by the names that `--experiment` takes.

Each module here has a `Config`, a frozen dataclass that becomes the command's flags,
and `build`, which turns one into an `Experiment`. Modules are imported when asked
for, so that `--help` does not pay for the others.
"""

import importlib
from collections.abc import Mapping
from types import ModuleType

EXPERIMENTS: Mapping[str, str] = {
    "language_modeling": "experiments.language_modeling",
}


def load(name: str) -> ModuleType:
    """Returns the module of the experiment `name`, a key of `EXPERIMENTS`."""
    return importlib.import_module(EXPERIMENTS[name])
