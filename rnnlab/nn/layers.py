"""What each recurrent layer inside of a Flax module is given, whatever the module."""

from typing import Any, NamedTuple

import flax.linen as nn

from rnnlab.cell import Cell, Params
from rnnlab.nn.recurrent import Recurrent


class Layer(NamedTuple):
    """A layer as it was called: what a probe of `rnnlab.probes` takes.

    Attributes:
        cell: what a step computes.
        params: of the cell.
        carry: before the first step.
        x: [T, B, I].
    """

    cell: Cell[Any]
    params: Params
    carry: Any
    x: Any


def layers(
    module: nn.Module, variables: Any, *args: Any, **kwargs: Any
) -> dict[str, Layer]:
    """Returns the layers of a module by their paths in it, in the order of their calls.

    Of a `LanguageModel`, "stack/Recurrent_0" and so on; "" is the module itself. Where
    a layer is called twice, the last call counts.

    Args:
        module: a `Recurrent`, or one with some inside.
        variables: as `module.apply` takes them, and all that follows.
        *args: of the call.
        **kwargs: of the call, and `method` or `rngs`.

    Raises:
        ValueError: there is no recurrent layer in the module.
    """
    found: dict[str, Layer] = {}

    def note(call, args, kwargs, context):
        layer = context.module
        outcome = call(*args, **kwargs)
        if isinstance(layer, Recurrent) and context.method_name == "__call__":
            params = layer.variables["params"]["cell"]
            carry, x = _given(*args, **kwargs)
            path = "/".join(layer.path)
            found[path] = Layer(layer.cell, params, layer.begin(params, carry, x), x)
        return outcome

    with nn.intercept_methods(note):
        module.apply(variables, *args, **kwargs)
    if not found:
        raise ValueError(
            f"layers needs a module with Recurrent inside, got"
            f" {type(module).__name__}; use rnnlab.nn.Recurrent for its layers."
        )
    return found


def _given(carry, x, **_):
    """Returns the carry and x of a call, whether or not they were given by name."""
    return carry, x
