"""What the layers of a language model hold after each token of a text."""

from typing import Any

import jax
import numpy as np

from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel
from rnnlab.nn.layers import layers
from rnnlab.probes.gates import by_leaf, watch


def held(model: LanguageModel, params: Any, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the carries that are a vector of units, [N, H] by layer and leaf.

    Args:
        model: with recurrent layers.
        params: of the model.
        ids: int [N].

    Raises:
        InputError: no layer is recurrent, or none carries a vector.
    """

    @jax.jit
    def read(params):
        given = {"params": params}, model.initial((1,)), ids[:, None]
        found = layers(model, *given)
        return [by_leaf(watch(*layer).carries) for layer in found.values()]

    try:
        carried = read(params)
    except ValueError as error:
        raise InputError(
            f"A model with recurrent layers was wanted, to look at their units, got a"
            f" {type(model.stack).__name__} without; name the --workdir of another."
        ) from error
    found = {
        f"layer {k} {name}".strip(): np.asarray(leaf)[:, 0]
        for k, leaves in enumerate(carried)
        for name, leaf in leaves.items()
        if leaf.ndim == 3
    }
    if not found:
        raise InputError(
            "Layers that carry a vector of units were wanted, got other carries alone;"
            " name the --workdir of another model."
        )
    return found
