"""Batch norm by time step: its statistics, in training and after it."""

import jax
import jax.numpy as jnp
import numpy as np
from cases import cast
from jax.flatten_util import ravel_pytree
from one_cell import near, normal, run, start
from sizes import H, I

from rnnlab.cells.batch_norm import BatchNormLSTM
from rnnlab.cells.frozen_batch_norm import FrozenBatchNormLSTM, population
from rnnlab.engines import Deferred, Scan

T, B = 7, 2


TRAINED, FROZEN = BatchNormLSTM(H), FrozenBatchNormLSTM(H)


def drawn_batch_norm(rows=8):
    params, _ = start(TRAINED)
    params = jax.tree.map(lambda a: a + 0.3 * normal(a.size, *a.shape), params)
    carry = jax.tree.map(lambda a: a + normal(1, *a.shape), TRAINED.initial((rows,)))
    return params, carry, normal(2, T, rows, I)


def test_statistics_of_a_batch_evaluate_it_as_it_trained():
    params, carry, x = drawn_batch_norm()
    frozen = jax.jit(population, static_argnums=0)(TRAINED, params, carry, x)
    assert frozen["memory_mean"].shape == (T, H)
    wanted, outputs = run(Scan(), TRAINED, params, carry, x)
    begin = FROZEN.initial((8,))._replace(c=carry.c, h=carry.h)
    last, y = run(Deferred(), FROZEN, frozen, begin, x)
    near((last.c, last.h, y), (*wanted, outputs), 1e-5)
    near(last.step, np.full((8, 1), T), 0)
    # Row by row now, as a batch normalised by its own statistics is not.
    alone = jax.tree.map(lambda a: a[2:3], begin)
    near(run(Scan(), FROZEN, frozen, alone, x[:, 2:3])[1], outputs[:, 2:3], 1e-5)


def test_beyond_the_last_statistics_the_last_are_used():
    params, carry, x = drawn_batch_norm()
    frozen = population(TRAINED, params, carry, x)
    short = {k: a[:3] if k.endswith(("mean", "variance")) else a
             for k, a in frozen.items()}  # fmt: skip
    held = {k: a[jnp.minimum(jnp.arange(T), 2)] if k.endswith(("mean", "variance"))
            else a for k, a in frozen.items()}  # fmt: skip
    last, y = run(Scan(), FROZEN, short, FROZEN.initial((8,)), x)
    near(y, run(Scan(), FROZEN, held, FROZEN.initial((8,)), x)[1], 1e-6)
    near(last.step, np.full((8, 1), 3), 0)


def test_frozen_runs_with_its_initial_parameters():
    params, carry = start(FROZEN)
    x = normal(0, T, B, I)
    assert params["memory_mean"].shape == (1, H)
    for dtype in (jnp.float32, jnp.bfloat16):
        last, y = run(Scan(), FROZEN, *cast((params, carry, x), dtype))
        assert {leaf.dtype for leaf in jax.tree.leaves((last, y))} == {jnp.dtype(dtype)}
        assert np.isfinite(np.asarray(y, np.float32)).all() and np.any(y)
    for part in ("kernel", "recurrent", "memory"):
        np.testing.assert_array_equal(params[f"{part}_scale"], np.float32(0.1))


def test_rows_are_normalised_over_every_batch_axis():
    params, _, x = drawn_batch_norm()
    _, flat = run(Scan(), TRAINED, params, TRAINED.initial((8,)), x)
    shaped = x.reshape(T, 2, 4, I)
    _, y = run(Scan(), TRAINED, params, TRAINED.initial((2, 4)), shaped)
    near(y.reshape(flat.shape), flat, 1e-5)


def test_a_step_without_a_batch_is_finite():
    params, _ = start(TRAINED)

    def loss(params, x):
        (c, h), y = TRAINED.step(
            params, TRAINED.initial(()), TRAINED.project(params, x)
        )
        return jnp.sum(c) + jnp.sum(h) + jnp.sum(y)

    outcome = jax.jit(jax.value_and_grad(loss, (0, 1)))(params, normal(0, I))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(outcome))


def test_gradient_of_a_batch_equals_finite_differences():
    def loss(inputs):
        return jnp.sum(Deferred()(TRAINED, *inputs)[1] ** 2)

    with jax.enable_x64(True):
        inputs = cast(drawn_batch_norm(), "float64")
        flat, unravel = ravel_pytree(inputs)
        along = jnp.cos(jnp.arange(flat.size * 1.0))
        both = jax.jit(jax.value_and_grad(lambda flat: loss(unravel(flat))))
        slope = float(jnp.vdot(both(flat)[1], along))
        more, less = (float(both(flat + e * along)[0]) for e in (1e-6, -1e-6))
    near(slope, (more - less) / 2e-6, 1e-6)
