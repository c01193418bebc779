"""Newton's method: each way of it, when it stops, what it does when it does not."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.cell import Cell
from rnnlab.cells import CELLS, GRU, LSTM, BatchNormLSTM, CoRNN, Elman, MinGRU
from rnnlab.engines import Loop, Newton, Scan
from rnnlab.engines.newton import METHODS
from rnnlab.wrappers import masked

I, H, B = 3, 4, 2  # noqa: E741


def draw(cell, steps, dtype, batch=(B,), scale=0.3, seed=0):
    """Returns params, the recurrent weights of that deviation, the carry and x."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(
        lambda key: (
            cell.init(key, I),
            cell.initial(batch),
            jnp.zeros((steps, *batch, I)),
        ),
        jax.random.key(0),
    )
    params, carry, x = jax.tree.map(lambda s: rng.normal(size=s.shape), shapes)
    if "recurrent" in params:
        params["recurrent"] *= scale
    return jax.tree.map(lambda a: jnp.asarray(a, dtype), (params, carry, x))


def solve(engine, cell, inputs):
    """Returns what the engine does, and the report of a Newton."""
    if isinstance(engine, Newton):
        carry, y, report = engine.solve(cell, *inputs)
        return (carry, y), report
    return engine(cell, *inputs), None


@functools.partial(jax.jit, static_argnums=(0, 1))
def values(engine, cell, inputs):
    return solve(engine, cell, inputs)


@functools.partial(jax.jit, static_argnums=(0, 1))
def grads(engine, cell, inputs):
    """Returns the gradients, the outcome and the report."""

    def loss(inputs):
        outcome, report = solve(engine, cell, inputs)
        leaves = jax.tree.leaves(outcome)
        return sum(jnp.sum(jnp.sin(leaf.real + leaf.imag)) for leaf in leaves), (
            outcome,
            report,
        )

    gradient, (outcome, report) = jax.grad(loss, has_aux=True)(inputs)
    return (gradient, outcome), report


def close(actual, wanted, tolerance):
    assert jax.tree.structure(actual) == jax.tree.structure(wanted)
    for a, w in zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True):
        assert a.dtype == w.dtype
        wide = jnp.promote_types(a.dtype, "float32")
        np.testing.assert_allclose(
            a.astype(wide), w.astype(wide), rtol=tolerance, atol=tolerance
        )


FEW = {  # of 64 steps
    "deer": ("lstm", "gru", 8),
    "quasi": ("lstm", "elman", 50),
    "elk": ("gru", "lstm", 60),
}


@pytest.mark.parametrize("method", FEW)
def test_each_method_equals_scan_in_few_iterations(method):
    name, _, most = FEW[method]
    cell = CELLS[name](H)
    with jax.enable_x64(True):
        inputs = draw(cell, 64, "float64")
        actual, report = grads(Newton(method), cell, inputs)
        close(actual, grads(Scan(), cell, inputs)[0], 1e-10)
        assert report.converged and 1 < report.iterations <= most
        assert report.residual <= 8 * jnp.finfo("float64").eps


@pytest.mark.parametrize("method", FEW)
def test_each_method_equals_scan_in_single_precision(method):
    _, name, most = FEW[method]
    cell = CELLS[name](H)
    inputs = draw(cell, 64, "float32")
    actual, report = values(Newton(method), cell, inputs)
    close(actual, values(Scan(), cell, inputs)[0], 1e-5)
    assert report.converged and 1 < report.iterations <= most
    assert report.residual <= 8 * jnp.finfo("float32").eps


def test_half_precision_is_kept():
    inputs = draw(LSTM(H), 16, "bfloat16")
    actual, report = values(Newton(), LSTM(H), inputs)
    close(actual, values(Scan(), LSTM(H), inputs)[0], 2e-2)
    assert report.converged


@pytest.mark.parametrize("method", ["deer", "quasi"])
def test_a_linear_cell_takes_one_iteration(method):
    inputs = draw(MinGRU(H), 64, "float32")
    actual, report = values(Newton(method), MinGRU(H), inputs)
    close(actual, values(Scan(), MinGRU(H), inputs)[0], 1e-5)
    assert report.converged and report.iterations == 1


def closed(cell):
    """Returns parameters of a GRU whose z is near 1."""
    params = cell.init(jax.random.key(0), 1)
    bias = params["bias"].reshape(3, H).at[1].set(4.0)
    return params | {"bias": bias.reshape(-1)}


def drawn(cell):
    return cell.init(jax.random.key(0), 1)


SLOW = {  # a step moves the first guess by less than the tolerance, all of them far
    "oscillators": (CoRNN(H), drawn, 0.5, "bfloat16", 0.03),
    "short steps": (CoRNN(H, step_size=1e-3), drawn, 5e-4, "float32", 1e-4),
    "closed gates": (GRU(H), closed, 0.5, "bfloat16", 0.05),
}


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("method", METHODS)
def test_a_guess_that_a_step_hardly_moves_is_not_the_answer(method, name):
    cell, start, level, dtype, tolerance = SLOW[name]
    inputs = start(cell), cell.initial((B,)), jnp.full((512, B, 1), level)
    inputs = jax.tree.map(lambda leaf: leaf.astype(dtype), inputs)
    (_, y), report = values(Newton(method), cell, inputs)
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda leaf: leaf.astype("float64"), inputs)
        (_, wanted), _ = values(Scan(), cell, exact)
    assert np.abs(wanted).max() > 3 * tolerance  # what the guess, zero, is off by
    np.testing.assert_allclose(np.asarray(y, "float64"), wanted, atol=tolerance)
    assert report.iterations > 0


STEPS = 12


@functools.cache
def chaos():
    """Returns a chaotic cell, its inputs and what Scan makes of them."""
    params, carry, x = draw(Elman(32), STEPS, "float64", scale=1.0)
    inputs = params, carry, 0.1 * x
    gradient, last = grads(Scan(), Elman(32), inputs)[0]
    assert np.abs(gradient[1]).max() > 100  # of the first state: it grows in time
    return Elman(32), inputs, (gradient, last)


def close_to_chaos(actual, wanted):
    scale = max(np.abs(leaf).max() for leaf in jax.tree.leaves(wanted))
    close(*jax.tree.map(lambda leaf: leaf / scale, (actual, wanted)), 1e-10)


@pytest.mark.parametrize("method", ["deer", "quasi"])
def test_what_does_not_converge_is_scanned(method):
    with jax.enable_x64(True):
        cell, inputs, wanted = chaos()
        actual, report = grads(Newton(method, iterations=2), cell, inputs)
        close_to_chaos(actual, wanted)
        assert not report.converged and report.iterations == 2
        assert report.residual > 1e-3


@pytest.mark.parametrize("method", ["deer", "quasi"])
def test_as_many_iterations_as_steps_suffice(method):
    with jax.enable_x64(True):
        cell, inputs, (_, wanted) = chaos()
        actual, report = values(Newton(method, tolerance=1e-12), cell, inputs)
        close(actual, wanted, 1e-8)
        assert report.converged and 4 < report.iterations <= STEPS


def test_an_overflow_of_the_jacobians_is_survived():
    """At the guess, zero, J is 10 a step; at the states themselves it is nearly 0."""
    cell, inputs = Elman(H), draw(Elman(H), 64, "float32")
    params = inputs[0] | {"recurrent": 10 * jnp.eye(H)}
    inputs = params, jnp.zeros((B, H)), inputs[2].at[1:].set(0)
    actual, report = values(Newton(), cell, inputs)
    close(actual, values(Scan(), cell, inputs)[0], 1e-5)
    assert report.converged and report.iterations < 64


def test_nan_takes_no_iteration_and_is_what_a_scan_gives():
    params, carry, x = draw(LSTM(H), 16, "float32")
    inputs = params, carry, x.at[5, 0].set(jnp.nan)
    actual, report = values(Newton(), LSTM(H), inputs)
    close(actual, values(Scan(), LSTM(H), inputs)[0], 1e-5)
    assert np.isnan(actual[1][5:, 0]).all() and np.isfinite(actual[1][:, 1]).all()
    assert not report.converged and report.iterations == 0


class OddCarry(NamedTuple):
    waves: jax.Array  # complex [..., H]
    memory: jax.Array  # [..., 2, 2]
    level: jax.Array  # [...]


@dataclasses.dataclass(frozen=True)
class Odd(Cell[OddCarry]):
    """A cell with complex numbers, a matrix and a scalar in its carry."""

    features: int

    def init(self, key, in_features):
        return {"kernel": jax.random.normal(key, (in_features, self.features))}

    def initial(self, batch, dtype=jnp.float32):
        waves = jnp.zeros((*batch, self.features), jnp.result_type(dtype, 1j))
        return OddCarry(
            waves, jnp.zeros((*batch, 2, 2), dtype), jnp.zeros(batch, dtype)
        )

    def project(self, params, x):
        return x @ params["kernel"]

    def step(self, params, carry, u):
        waves = 0.7 * jnp.exp(1j * carry.level)[..., None] * carry.waves + u
        memory = jnp.tanh(carry.memory @ carry.memory + waves.real[..., :1, None])
        level = 0.5 * jnp.sin(carry.level) + jnp.mean(jnp.abs(waves) ** 2, axis=-1) / 9
        y = waves.imag * memory[..., 0, :1]
        return OddCarry(waves, memory, level), y


@pytest.mark.parametrize("method", ["deer", "quasi"])
def test_complex_numbers_matrices_and_scalars_in_the_carry(method):
    with jax.enable_x64(True):
        params, carry, x = draw(Odd(H), 7, "float64", batch=(2, 1))
        carry = carry._replace(waves=(1 - 2j) * carry.waves)
        actual, report = grads(Newton(method), Odd(H), (params, carry, x))
        close(actual, grads(Loop(), Odd(H), (params, carry, x))[0], 1e-10)
        assert report.converged


@dataclasses.dataclass(frozen=True)
class Counting(Odd):
    def initial(self, batch, dtype=jnp.float32):
        return jnp.zeros(batch, jnp.int32)

    def step(self, params, carry, u):
        return carry + 1, u


def test_a_carry_without_derivative_is_named():
    cell = Counting(H)
    with pytest.raises(TypeError, match=r"Newton.*int32.*Counting.*Scan\(\)"):
        Newton()(cell, {"kernel": jnp.ones((I, H))}, cell.initial(()), jnp.ones((5, I)))


def test_a_cell_whose_rows_see_each_other_is_named():
    cell = masked(BatchNormLSTM(H))
    params, carry = cell.init(jax.random.key(0), I), cell.initial((2,))
    with pytest.raises(TypeError, match=r"each row by itself.*BatchNorm.*Scan\(\)"):
        Newton()(cell, params, carry, jnp.ones((5, 2, I)))


def test_vmap_over_seeds_equals_one_after_the_other():
    with jax.enable_x64(True):
        _, carry, x = draw(Elman(H), 9, "float64")
        seeds = [draw(Elman(H), 9, "float64", seed=k)[0] for k in range(3)]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds)
        actual, report = jax.vmap(
            lambda params: grads(Newton(), Elman(H), (params, carry, x))
        )(stacked)
        one_by_one = [grads(Scan(), Elman(H), (p, carry, x))[0] for p in seeds]
        wanted = jax.tree.map(lambda *leaves: jnp.stack(leaves), *one_by_one)
        close(actual, wanted, 1e-10)
        assert report.converged.all() and report.iterations.shape == (3,)


@pytest.mark.parametrize("method", ["deer", "quasi"])
def test_forward_mode_and_second_derivatives_equal_those_of_scan(method):
    cell = Elman(2)
    with jax.enable_x64(True):
        params, carry, x = draw(cell, 5, "float64", batch=(), scale=0.7)

        def hessian(engine):
            def loss(recurrent):
                y = engine(cell, params | {"recurrent": recurrent}, carry, x)[1]
                return jnp.sum(jnp.sin(y))

            return jax.jit(jax.jacfwd(jax.value_and_grad(loss)))(params["recurrent"])

        actual, wanted = hessian(Newton(method)), hessian(Scan())
        assert np.abs(wanted[1]).max() > 1e-2
        close(actual, wanted, 1e-10)


BAD = {
    "another method": ({"method": "newton"}, ["method", "deer, quasi, elk", "newton"]),
    "no iteration": ({"iterations": 0}, ["iterations", "at least 1", "0"]),
    "no tolerance": ({"tolerance": 0.0}, ["tolerance", "above 0", "0.0"]),
    "negative": ({"method": "elk", "damping": -1.0}, ["damping", "at least 0", "-1"]),
    "without use": ({"method": "quasi", "damping": 1.0}, ["damping", "elk", "quasi"]),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_settings_are_named(bad):
    settings, parts = BAD[bad]
    with pytest.raises(ValueError) as error:
        Newton(**settings)
    for part in parts:
        assert part in str(error.value)
