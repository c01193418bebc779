"""The activations against JAX's own: the same numbers, less left for the backward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab import activations

PAIRS = [
    pytest.param(activations.sigmoid, jax.nn.sigmoid, id="sigmoid"),
    pytest.param(activations.tanh, jnp.tanh, id="tanh"),
]
POINTS = np.concatenate([np.linspace(-6, 6, 41), [-1e4, -100.0, 100.0, 1e4]])


@pytest.mark.parametrize(("own", "peer"), PAIRS)
@pytest.mark.parametrize(
    "derived",
    [
        pytest.param(lambda f: f, id="value"),
        pytest.param(jax.grad, id="reverse"),
        pytest.param(jax.jacfwd, id="forward"),
        pytest.param(lambda f: jax.jacfwd(jax.grad(f)), id="second"),
        pytest.param(lambda f: jax.grad(jax.grad(f)), id="second, reverse"),
    ],
)
def test_equal_those_of_jax(own, peer, derived):
    with jax.enable_x64(True):
        points = jnp.asarray(POINTS)
        np.testing.assert_allclose(
            jax.vmap(derived(own))(points), jax.vmap(derived(peer))(points), atol=1e-15
        )


@pytest.mark.parametrize(("own", "peer"), PAIRS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_keep_the_dtype(own, peer, dtype):
    points = jnp.asarray(POINTS, dtype)
    value, pullback = jax.vjp(own, points)
    (gradient,) = pullback(value)
    assert value.dtype == gradient.dtype == dtype
    assert jnp.array_equal(value, peer(points))


@pytest.mark.parametrize(("own", "peer"), PAIRS)
def test_leave_their_value_alone_behind(own, peer):
    def left(f):
        _, pullback = jax.vjp(lambda x, y: f(x) * y, jnp.ones(3), jnp.ones(3))
        return len({id(leaf) for leaf in jax.tree.leaves(pullback)})

    assert (left(own), left(peer)) == (2, 3)
