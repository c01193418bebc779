"""A pytree whose repeated arrays are held, and so stacked by a scan, once."""

import dataclasses
from collections.abc import Callable, Hashable
from typing import Any

import jax
from jax.extend.core import Jaxpr
from jax.extend.core.primitives import remat_p


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Once:
    """The distinct arrays of a pytree and where each of them stands.

    An LSTM's memory is part of its carry and a residual of its update; the cotangent
    of `u + r` is that of `u` and that of `r`. Stacked as they stand, each such array
    would be written twice at every step.

    Attributes:
        leaves: the distinct arrays.
        places: for each leaf of the tree, its index in `leaves`.
        structure: the tree's structure.
    """

    leaves: list[jax.Array]
    places: tuple[int, ...] = dataclasses.field(metadata={"static": True})
    structure: Any = dataclasses.field(metadata={"static": True})

    @classmethod
    def of(cls, tree: Any, names: Any = None) -> "Once":
        """Returns the distinct arrays of `tree`.

        Args:
            tree: the arrays.
            names: a name for each, alike where the arrays are, as `sources` returns
                them; by default an array is known by its identity.
        """
        flat, structure = jax.tree.flatten(tree)
        keys = [id(leaf) for leaf in flat] if names is None else jax.tree.leaves(names)
        distinct = dict(zip(keys, flat, strict=True))
        index = {key: i for i, key in enumerate(distinct)}
        places = tuple(index[key] for key in keys)
        return cls(list(distinct.values()), places, structure)

    def tree(self) -> Any:
        """Returns the tree, its leaves shared where they were."""
        return jax.tree.unflatten(self.structure, [self.leaves[i] for i in self.places])


def sources(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns a number for each array that `function` returns, alike where these are.

    What comes out of `jax.checkpoint` twice has two identities but one number: the
    variables of its own program tell.
    """
    jaxpr, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    known: dict[Hashable, int] = {}
    numbers = [
        known.setdefault(_source(jaxpr.jaxpr, variable), len(known))
        for variable in jaxpr.jaxpr.outvars
    ]
    return jax.tree.unflatten(jax.tree.structure(shapes), numbers)


def _source(jaxpr: Jaxpr, variable: Any) -> Hashable:
    """Returns where a variable is computed, looked up inside checkpointed calls."""
    for equation in jaxpr.eqns:
        if equation.primitive is not remat_p:
            continue
        for out, inner in zip(
            equation.outvars, equation.params["jaxpr"].outvars, strict=True
        ):
            if out is variable:
                # The call is part of the name: two may share one program.
                return id(equation), _source(equation.params["jaxpr"], inner)
    return id(variable)
