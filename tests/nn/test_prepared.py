"""A prepared model is the same model; what hangs on parameters alone comes before."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_model import Toy

from rnnlab.nn.generation.prepared import prepare


class Turned(Toy):
    """Its matrices are kept turned, and one is made from another."""

    def apply(self, variables, carries, tokens):
        p = variables["params"]
        own = {**p, "decoder": p["decoder"].T, "recurrent": jnp.sin(p["recurrent"])}
        return super().apply({"params": own}, carries, tokens)


MODEL = Turned(7)
PARAMS = {name: jnp.asarray(leaf) for name, leaf in Toy(7).params().items()}
PARAMS["decoder"] = PARAMS["decoder"].T


@pytest.mark.parametrize("rows", [1, 3])
def test_it_gives_what_the_model_gives(rows):
    prepared, params = prepare(MODEL, PARAMS, rows)
    carries = wanted = MODEL.initial((rows,))
    for tokens in np.random.default_rng(0).integers(7, size=(4, 1, rows)):
        carries, logits = prepared.apply({"params": params}, carries, tokens)
        wanted, told = MODEL.apply({"params": PARAMS}, wanted, tokens)
        assert jax.tree.structure(carries) == jax.tree.structure(wanted)
        np.testing.assert_allclose(logits, told, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(carries["steps"], [4] * rows)


def test_nothing_is_left_to_do_for_parameters_alone():
    prepared, params = prepare(MODEL, PARAMS, 1)
    early, late, _ = prepared.parts()
    assert {"sin", "transpose"} <= {e.primitive.name for e in early.jaxpr.eqns}
    assert not {"sin", "transpose"} & {e.primitive.name for e in late.jaxpr.eqns}
    shapes = sorted(leaf.shape for leaf in params if leaf.ndim == 2)
    assert shapes == [(6, 6), (6, 7), (7, 6)]


def test_equal_models_are_prepared_equal():
    """So that a program that was compiled for one serves the other."""
    (one, _), (other, _) = prepare(MODEL, PARAMS, 2), prepare(Turned(7), PARAMS, 2)
    assert one == other and hash(one) == hash(other)
    assert one != prepare(MODEL, PARAMS, 3)[0]
