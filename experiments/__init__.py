"""The experiments by the names that `--experiment` takes.

An experiment is a package with two modules. `config` has `Config`, a frozen dataclass
that becomes the command's flags; `Config.traced` names those that runs in one program
may differ in, beside seed and learning rate. `build` has `build`, which turns one into
an `Experiment`, and `rebuild`, which makes the task anew without its data. Both are
imported when asked for: `--help` needs the first alone.
"""

import importlib
from types import ModuleType

EXPERIMENTS = {"language_modeling": "experiments.language_modeling"}


def config(name: str) -> type:
    """Returns the `Config` of the experiment `name`, a key of `EXPERIMENTS`."""
    return importlib.import_module(f"{EXPERIMENTS[name]}.config").Config


def load(name: str) -> ModuleType:
    """Returns the module of the experiment `name` with `build` and `rebuild`."""
    return importlib.import_module(f"{EXPERIMENTS[name]}.build")
