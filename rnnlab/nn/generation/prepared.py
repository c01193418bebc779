"""A model of which all that hangs on its parameters alone is computed already.

In a loop XLA would do it at each step: turn the matrix of the output layer, which takes
six times as long as one row's product with it (650 x 10,000, two CPU cores), or make an
orthogonal one.
"""

import dataclasses
import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun


class Model(Protocol):
    """What can be read with; see the package."""

    def initial(self, batch: tuple[int, ...], /) -> Any:
        """Returns the carries before the first token."""
        ...

    def apply(self, variables: Any, carries: Any, tokens: Any, /) -> Any:
        """Returns the carries after the tokens, and the logits that follow each."""
        ...


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A model for one token of each of some rows at a time.

    Its parameters are the arrays that `prepare` returns.

    Attributes:
        model: as it was.
        shapes: shape and dtype of each leaf of its parameters.
        structure: of its parameters.
        rows: B.
    """

    model: Model
    shapes: tuple[tuple[tuple[int, ...], Any], ...]
    structure: Any
    rows: int

    def initial(self, batch: tuple[int, ...]) -> Any:
        """Returns the carries of the model before the first token."""
        return self.model.initial(batch)

    def apply(self, variables: Any, carries: Any, tokens: Any) -> Any:
        """Returns what the model does, [1, B] -> [1, B, V]."""
        _, rest, structure = self.parts()
        leaves = jax.tree.leaves((carries, tokens))
        found = jaxpr_as_fun(rest)(*variables["params"], *leaves)
        return jax.tree.unflatten(structure, found)

    def parts(self) -> tuple[ClosedJaxpr, ClosedJaxpr, Any]:
        """Returns what is computed early, what is left, and what that returns."""
        leaves = [jax.ShapeDtypeStruct(*each) for each in self.shapes]
        params = jax.tree.unflatten(self.structure, leaves)
        carries = jax.eval_shape(lambda: self.model.initial((self.rows,)))
        tokens = jax.ShapeDtypeStruct((1, self.rows), jnp.int32)
        whole, returned = jax.make_jaxpr(
            lambda params, carries, tokens: self.model.apply(
                {"params": params}, carries, tokens
            ),
            return_shape=True,
        )(params, carries, tokens)
        return *_split(whole, len(leaves)), jax.tree.structure(returned)


def prepare(model: Model, params: Any, rows: int) -> tuple[Prepared, list[jax.Array]]:
    """Returns a model for one token of each row at a time, and its parameters."""
    leaves, structure = jax.tree.flatten(params)
    shapes = tuple((leaf.shape, leaf.dtype) for leaf in leaves)
    prepared = Prepared(model, shapes, structure, rows)
    return prepared, _early(prepared, leaves)


@functools.partial(jax.jit, static_argnums=0)
def _early(prepared, leaves):
    """Returns what is computed from the parameters alone."""
    return jaxpr_as_fun(prepared.parts()[0])(*leaves)


def _split(whole: ClosedJaxpr, count: int) -> tuple[ClosedJaxpr, ClosedJaxpr]:
    """Returns what can be computed from the first inputs, and the rest from that."""
    jaxpr = whole.jaxpr
    known, early, late = {*jaxpr.constvars, *jaxpr.invars[:count]}, [], []
    for equation in jaxpr.eqns:
        reads = [v for v in equation.invars if not isinstance(v, Literal)]
        if known.issuperset(reads):
            early.append(equation)
            known.update(equation.outvars)
        else:
            late.append(equation)
    read = [v for equation in late for v in equation.invars] + jaxpr.outvars
    kept = list(
        dict.fromkeys(v for v in read if not isinstance(v, Literal) and v in known)
    )
    nameless = jaxpr.debug_info._replace(arg_names=None, result_paths=None)
    first = jaxpr.replace(
        invars=jaxpr.invars[:count], eqns=early, outvars=kept, debug_info=nameless
    )
    rest = jaxpr.replace(
        constvars=[],
        invars=[*kept, *jaxpr.invars[count:]],
        eqns=late,
        debug_info=nameless,
    )
    return ClosedJaxpr(first, whole.consts), ClosedJaxpr(rest, [])
