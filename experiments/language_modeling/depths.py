"""Where each parameter of a language model stands, counted from the output down."""

import re
from typing import Any

import jax


def depths(params: Any, tied: bool) -> Any:
    """Returns how many layers stand above each parameter, like `params`.

    The output has 0, the last layer 1, and the embedding as many as there are layers,
    and one; or 0 where it is the output's weights too. What stands between two layers
    goes with the one above it, as `Highway_0` with `Recurrent_1`.
    """
    stack = params.get("stack", {})
    layers = max((_number(name) for name in stack), default=0) + 1

    def depth(path: Any, leaf: Any) -> int:
        match [key.key for key in path]:
            case ["embedding", *_]:
                return 0 if tied else layers + 1
            case ["stack", name, *_]:
                return layers - _number(name) - name.startswith("Highway_")
        return 0

    return jax.tree_util.tree_map_with_path(depth, params)


def _number(name: str) -> int:
    """Returns the number of a layer, as in `Recurrent_2`; 0 where it has none."""
    found = re.search(r"_(\d+)$", name)
    return int(found[1]) if found else 0
