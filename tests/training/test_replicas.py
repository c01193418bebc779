"""Runs side by side are the runs alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.vanishing_gradients.network import Network, clipped_sgd, learner
from rnnlab.cells import GRU
from rnnlab.problems import TemporalOrder
from rnnlab.training import replicas

NETWORK = Network(GRU(6), TemporalOrder(10), rows=4)
LEARNER = learner(
    NETWORK,
    clipped_sgd,
    judged=50,
    measure=lambda params, key, knobs: {"bias": params["output"]["bias"], **knobs},
)
SEEDS = [3, 4, 3]
KNOBS = {"rate": [0.1, 0.2, 0.3], "clip": [1.0, np.inf, 0.01]}


def begin(which):
    knobs = {name: jnp.array([v[k] for k in which]) for name, v in KNOBS.items()}
    return replicas.start(LEARNER, jnp.array([SEEDS[k] for k in which]), knobs)


def leaves(runs):
    runs = runs._replace(key=jax.random.key_data(runs.key))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(runs)]


@pytest.fixture(scope="module")
def together():
    return replicas.advance(LEARNER, 5, begin([0, 1, 2]))


@pytest.mark.parametrize("k", [0, 1, 2])
def test_each_run_is_what_it_is_alone(together, k):
    runs, losses = together
    alone, loss = replicas.advance(LEARNER, 5, begin([k]))
    for a, b in zip(leaves(replicas.select(runs, [k])), leaves(alone), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(losses[k], loss[0], rtol=1e-5)


def test_an_update_is_gradient_descent_on_new_sequences():
    (run,) = [begin([1])]
    key = jax.random.wrap_key_data(jax.random.key_data(run.key)[0])
    params = jax.tree.map(lambda leaf: leaf[0], run.params)
    told = []
    for k in range(3):
        problem = NETWORK.problem.draw(jax.random.fold_in(key, k), 4)
        loss, grads = jax.value_and_grad(NETWORK.loss)(params, problem)
        params = jax.tree.map(lambda p, g: p - 0.2 * g, params, grads)
        told.append(loss)
    run, loss = replicas.advance(LEARNER, 3, run)
    for a, b in zip(jax.tree.leaves(run.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(loss[0], np.mean(told), rtol=1e-5)
    assert run.updates.tolist() == [3]


def test_seed_and_knobs_are_a_runs_own(together):
    begun = begin([0, 1, 2])
    kernel = begun.params["cell"]["kernel"]
    np.testing.assert_array_equal(kernel[0], kernel[2])
    assert np.abs(kernel[0] - kernel[1]).max() > 0.01
    moved = np.asarray(together[0].params["cell"]["kernel"]) - kernel
    assert np.linalg.norm(moved[2]) < 0.3 * 0.01 * 5 + 1e-6 < np.linalg.norm(moved[0])


def test_runs_go_on_where_they_were(together):
    runs, _ = replicas.advance(LEARNER, 2, begin([0, 1, 2]))
    runs, _ = replicas.advance(LEARNER, 3, runs)
    for a, b in zip(leaves(runs), leaves(together[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_judging_draws_what_no_update_draws(together):
    runs, _ = together
    errors = replicas.judge(LEARNER, 2, runs)
    assert errors.shape == (3,) and ((errors > 0.3) & (errors <= 1)).all()
    np.testing.assert_array_equal(errors, replicas.judge(LEARNER, 2, runs))
    for k in range(3):
        alone = replicas.judge(LEARNER, 2, replicas.select(runs, [k]))
        np.testing.assert_allclose(errors[k], alone[0], atol=0.02)


def test_measures_are_by_run(together):
    runs, _ = together
    found = replicas.measure(LEARNER, runs)
    np.testing.assert_array_equal(found["bias"], runs.params["output"]["bias"])
    np.testing.assert_array_equal(found["rate"], np.float32(KNOBS["rate"]))


def test_a_learner_without_a_measure_measures_nothing(together):
    plain = learner(NETWORK, lambda knobs: optax.identity())
    assert replicas.measure(plain, together[0]) == ()
