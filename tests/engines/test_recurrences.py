"""Linear recurrences against dense systems, and the Jacobians that they take."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.cells import LSTM
from rnnlab.engines import recurrences as rec
from rnnlab.engines.rows import Rows

I, H, B = 3, 4, 2  # noqa: E741


def dense(j, damping):
    """Returns M of the equations M d = E r that `solved` and `damped` solve."""
    steps = np.eye(len(j)) - np.diag(j[1:], -1)
    return steps.T @ steps + damping * np.eye(len(j)), steps.T


@pytest.mark.parametrize("damping", [0.0, 0.3, 50.0])
@pytest.mark.parametrize("steps", [1, 6])
def test_damped_is_the_regularised_least_squares_solution(steps, damping):
    rng = np.random.default_rng(0)
    a, r = 2 * rng.normal(size=(2, steps, 3))
    d = rec.damped(jnp.array(a), jnp.array(r), jnp.array(damping))
    for n in range(3):
        matrix, right = dense(a[:, n], damping)
        wanted = np.linalg.solve(matrix, right @ r[:, n])
        np.testing.assert_allclose(d[:, n], wanted, rtol=1e-4, atol=1e-5)


def test_recurrences_and_their_adjoints_solve_dense_systems():
    rng = np.random.default_rng(0)
    j, r = rng.normal(size=(5, H, H)), rng.normal(size=(5, H))
    matrix = np.eye(5 * H)
    for t in range(1, 5):
        matrix[t * H :, (t - 1) * H :][:H, :H] = -j[t]
    j, r = jnp.array(j), jnp.array(r)
    forwards = np.linalg.solve(matrix, r.ravel()).reshape(5, H)
    backwards = np.linalg.solve(matrix.T, r.ravel()).reshape(5, H)
    for way in (rec.solved, rec.in_turn):
        np.testing.assert_allclose(way(j, r), forwards, rtol=1e-4, atol=1e-5)
        actual = way(rec.adjoint(j, r), r[::-1])[::-1]
        np.testing.assert_allclose(actual, backwards, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rec.missed(j, r, jnp.array(forwards)), 0, atol=1e-5)


def test_the_diagonal_is_that_of_the_jacobian():
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda s: jnp.array(rng.normal(size=s.shape), jnp.float32),
        jax.eval_shape(lambda key: LSTM(H).init(key, I), jax.random.key(0)),
    )
    x = jnp.array(rng.normal(size=(3, B, I)), jnp.float32)
    rows = Rows.of(LSTM(H), LSTM(H).initial((B,)))
    z = jnp.linspace(-2, 2, 3 * B * 2 * H).reshape(3, B, 2 * H)

    @jax.jit
    def derivatives(params, z, x):
        u = LSTM(H).project(params, x)
        return rows.diagonal(params, z, u), rows.jacobian(params, z, u)

    diagonal, jacobian = derivatives(params, z, x)
    np.testing.assert_allclose(
        diagonal, np.diagonal(jacobian, axis1=-2, axis2=-1), atol=1e-6
    )
    assert np.abs(diagonal).max() > 0.1
    np.testing.assert_array_equal(rows.flat(rows.tree(z)), z)
