"""A pytree whose repeated arrays are held, and so stacked by a scan, once."""

import dataclasses
from typing import Any

import jax


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Once:
    """The distinct arrays of a pytree and where each of them stands.

    An LSTM's memory is part of its carry and a residual of its update; the cotangent
    of `u + r` is that of `u` and that of `r`. Stacked as they stand, each such array
    would be written twice at every step.

    Attributes:
        leaves: the distinct arrays, told apart by identity.
        places: for each leaf of the tree, its index in `leaves`.
        structure: the tree's structure.
    """

    leaves: list[jax.Array]
    places: tuple[int, ...] = dataclasses.field(metadata={"static": True})
    structure: Any = dataclasses.field(metadata={"static": True})

    @classmethod
    def of(cls, tree: Any) -> "Once":
        """Returns the distinct arrays of `tree`."""
        flat, structure = jax.tree.flatten(tree)
        distinct = {id(leaf): leaf for leaf in flat}
        index = {key: i for i, key in enumerate(distinct)}
        places = tuple(index[id(leaf)] for leaf in flat)
        return cls(list(distinct.values()), places, structure)

    def tree(self) -> Any:
        """Returns the tree, its leaves shared where they were."""
        return jax.tree.unflatten(self.structure, [self.leaves[i] for i in self.places])
