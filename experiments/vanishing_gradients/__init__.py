"""Vanishing and exploding gradients: seen, measured and repaired, study by study.

Each module is a study: its docstring has the claim, the command and the figures, its
`Config` becomes flags, and its `STUDY` says what is run and what the results show.
"""

import importlib
from types import ModuleType

STUDIES = {
    "temporal_order": "experiments.vanishing_gradients.temporal_order",
}


def load(name: str) -> ModuleType:
    """Returns the module of the study `name`, a key of `STUDIES`."""
    return importlib.import_module(STUDIES[name])
