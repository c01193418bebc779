"""Vanishing and exploding gradients: seen, measured and repaired, study by study.

Each module is a study: its docstring has the claim, the command and the figures, its
`Config` becomes flags, and its `STUDY` says what is run and what the results show.
"""

import importlib
from types import ModuleType

STUDIES = {
    "temporal_order": "experiments.vanishing_gradients.temporal_order",
    "lags": "experiments.vanishing_gradients.lags",
    "irnn": "experiments.vanishing_gradients.irnn",
    "chrono": "experiments.vanishing_gradients.chrono",
    "forget_bias": "experiments.vanishing_gradients.forget_bias",
    "unitary": "experiments.vanishing_gradients.unitary",
    "truncation": "experiments.vanishing_gradients.truncation",
    "greff": "experiments.vanishing_gradients.greff",
    "jsb": "experiments.vanishing_gradients.jsb",
    "lyapunov": "experiments.vanishing_gradients.lyapunov",
    "repairs": "experiments.vanishing_gradients.repairs",
}


def load(name: str) -> ModuleType:
    """Returns the module of the study `name`, a key of `STUDIES`."""
    return importlib.import_module(STUDIES[name])
