"""What stands behind every sigmoid and tanh of a function, whatever the function.

    after, found = noting(lambda h: jnp.tanh(h @ w))(h)
    found["tanh 0"]

The function is traced and its operations are done one after the other; what is found
on the way, also inside of what it calls, is handed out with the result.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core

# The operations that are looked for, and what they are called here.
NAMES = {"logistic": "sigmoid", "tanh": "tanh"}

# The operations that are calls, and the parameter that holds what is called.
_CALLS = {
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "jit": "jaxpr",
    "remat2": "jaxpr",
}


def noting(
    function: Callable[..., Any],
) -> Callable[..., tuple[Any, dict[str, jax.Array]]]:
    """Returns the function with a second result: its activations, in program order.

    They are named "sigmoid 0", "sigmoid 1", "tanh 0" and so on. Those inside of a loop
    or a branch of the function are not found: they have no one value. The result has
    no use for derivatives, since custom rules are left out.
    """

    def noted(*args: Any) -> tuple[Any, dict[str, jax.Array]]:
        program, shape = jax.make_jaxpr(function, return_shape=True)(*args)
        found: list[tuple[str, jax.Array]] = []
        leaves = _evaluate(program, jax.tree.leaves(args), found)
        return jax.tree.unflatten(jax.tree.structure(shape), leaves), _named(found)

    return noted


def _evaluate(
    program: core.ClosedJaxpr,
    args: Sequence[Any],
    found: list[tuple[str, jax.Array]],
) -> list[Any]:
    """Returns the results of a program, and appends its activations to `found`."""
    known: dict[Any, Any] = {}

    def read(place):
        return place.val if isinstance(place, core.Literal) else known[place]

    def write(places, values):
        known.update(zip(places, values, strict=True))

    write(program.jaxpr.constvars, program.consts)
    write(program.jaxpr.invars, args)
    for operation in program.jaxpr.eqns:
        name, inputs = operation.primitive.name, [*map(read, operation.invars)]
        if name in _CALLS:
            inside = operation.params[_CALLS[name]]
            if not isinstance(inside, core.ClosedJaxpr):
                inside = core.ClosedJaxpr(inside, ())
            write(operation.outvars, _evaluate(inside, inputs, found))
            continue
        outcome = operation.primitive.bind(*inputs, **operation.params)
        several = operation.primitive.multiple_results
        write(operation.outvars, outcome if several else [outcome])
        if name in NAMES:
            found.append((NAMES[name], outcome))
    return [read(place) for place in program.jaxpr.outvars]


def _named(found: Sequence[tuple[str, jax.Array]]) -> dict[str, jax.Array]:
    """Returns the values by name and number, counted for each name."""
    named: dict[str, jax.Array] = {}
    for name, value in found:
        count = sum(known.startswith(name) for known in named)
        named[f"{name} {count}"] = value
    return named
