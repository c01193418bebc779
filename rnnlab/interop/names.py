"""What every conversion asks of what it is given."""

from collections.abc import Collection, Mapping
from typing import Any

import jax
import numpy as np


def expect(owner: str, found: Collection[str], wanted: Collection[str]) -> None:
    """Raises ValueError unless the names found are those wanted."""
    missing, unknown = sorted({*wanted} - {*found}), sorted({*found} - {*wanted})
    if missing or unknown:
        raise ValueError(
            f"{owner} has the parameters {', '.join(wanted)}, got"
            f" {', '.join(sorted(found)) or 'none'}: missing are"
            f" {', '.join(missing) or 'none'}, unknown {', '.join(unknown) or 'none'};"
            f" take the function of the layer that these are from."
        )


def arrays(owner: str, params: Mapping[str, Any], gates: int) -> dict[str, np.ndarray]:
    """Returns rnnlab's parameters as NumPy arrays.

    Raises:
        ValueError: `recurrent` is not [*window, H, gates H], or others do not fit.
    """
    found = {name: np.asarray(leaf) for name, leaf in params.items()}
    shapes = {name: leaf.shape for name, leaf in found.items()}
    *window, units, _ = (0, 0) if len(shapes["recurrent"]) < 2 else shapes["recurrent"]
    *_, inputs, _ = (0, 0, *shapes["kernel"])
    wide = gates * units
    wanted = {
        "kernel": (*window, inputs, wide),
        "recurrent": (*window, units, wide),
        "bias": (wide,),
        "recurrent_bias": (units,),
    }
    for name, shape in shapes.items():
        if shape != wanted[name]:
            raise ValueError(
                f"{owner} has {gates} blocks of columns, so that {name} would be"
                f" {list(wanted[name])}, got {list(shape)}; take the function of the"
                f" layer that these are from."
            )
    return found


def flatten(params: Any) -> dict[str, Any]:
    """Returns the leaves by place, in order: `a/0` for params["a"][0]."""
    return {
        jax.tree_util.keystr(place, simple=True, separator="/"): leaf
        for place, leaf in jax.tree_util.tree_leaves_with_path(params)
    }


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested dicts of which the names are places."""
    found: dict[str, Any] = {}
    for name, leaf in flat.items():
        *above, last = name.split("/")
        inner = found
        for part in above:
            inner = inner.setdefault(part, {})
        inner[last] = leaf
    return found
