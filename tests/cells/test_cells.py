"""Every cell equals a NumPy transcription of its equation, and keeps the contract.

One program a cell and dtype, values and gradients over a Scan, serves all checks.
"""

import dataclasses
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ALL, H, I, cast, draw_near_start, grads, make, weighed
from equations import EQUATIONS, PARAMETERS
from one_cell import double, near

from rnnlab.cell import LinearCell, PositiveCell, SplitCell
from rnnlab.cells import LSTM
from rnnlab.engines import Associative, Chunked, Deferred, LogSpace, Scan

T, B = 7, 2
TOLERANCE = {"float64": 1e-10, "float32": 2e-5, "bfloat16": 0.1}
BY_BATCH = ("batch_norm_lstm",)  # cells whose rows see each other
# Cells whose gradient, by design, is not that of the value; one whose norm of two rows
# is too steep for a difference. Their own tests look after both.
OTHER = ("echo_state", "gru_d", "hm_lstm", "batch_norm_lstm")


@functools.partial(jax.jit, static_argnums=(0, 1))
def program(engine, cell, inputs, weights):
    """Gradients and outcome."""
    return grads(functools.partial(engine, cell), inputs, weights)


@functools.lru_cache
def drawn(name, seed=0):
    """Returns (params, carry, x) and weights, in double precision; x of 2 T steps."""
    (params, carry, x), weights = draw_near_start(name, 2 * T, B, seed)
    return (params, carry, x), cut(weights, T)


def cut(outcome, steps):
    carry, y = outcome
    return carry, y[:steps]


def half(inputs, which=0):
    params, carry, x = inputs
    return params, carry, jax.tree.map(lambda a: a[which * T : (which + 1) * T], x)


def run(name, inputs, weights, dtype="float64", engine=None):
    with jax.enable_x64(True):
        inputs, weights = cast((inputs, weights), dtype)
        return program(engine or Scan(), make(name), inputs, weights)


@functools.lru_cache
def whole(name):
    """Returns gradients and outcome of the first T steps."""
    inputs, weights = drawn(name)
    return run(name, half(inputs), weights)


def transcribed(name, params, carry, x):
    outputs = []
    for t in range(len(jax.tree.leaves(x)[0])):
        carry, y = EQUATIONS[name](params, carry, at(x, t))
        outputs.append(y)
    return carry, np.stack(outputs)


def at(x, t):
    return jax.tree.map(lambda a: a[t], x)


def dtypes(tree):
    return jax.tree.map(lambda a: a.dtype, tree)


def test_each_cell_has_an_equation_here():
    assert sorted(EQUATIONS) == sorted(PARAMETERS) == ALL


@pytest.mark.parametrize("name", ALL)
def test_equals_its_equation(name):
    inputs, _ = drawn(name)
    near(whole(name)[1], transcribed(name, *half(inputs)), TOLERANCE["float64"])


@pytest.mark.parametrize("name", ALL)
def test_two_halves_equal_the_equation_of_the_whole(name):
    inputs, weights = drawn(name)
    middle, first = whole(name)[1]
    params, _, x = half(inputs, 1)
    _, (last, second) = run(name, (params, middle, x), weights)
    together = last, np.concatenate([first, second])
    near(together, transcribed(name, *inputs), 10 * TOLERANCE["float64"])


@pytest.mark.parametrize("name", sorted(set(ALL) - {*OTHER}))
def test_gradient_equals_finite_differences(name):
    inputs, weights = drawn(name)
    params, carry, x = half(inputs)
    along = jax.tree.map(lambda a: np.cos(np.arange(a.size)).reshape(a.shape), params)
    along = along, *half(drawn(name, 1)[0])[1:]
    ahead = jax.tree.map(lambda a, d: a + 1e-6 * d, (params, carry, x), along)
    back = jax.tree.map(lambda a, d: a - 1e-6 * d, (params, carry, x), along)
    with jax.enable_x64(True):
        more, less = (
            float(weighed(run(name, moved, weights)[1], weights))
            for moved in (ahead, back)
        )
        slope = float(weighed(whole(name)[0], along))
    near(slope, (more - less) / 2e-6, 1e-7)


@pytest.mark.parametrize("name", sorted(set(ALL) - {*BY_BATCH}))
def test_a_row_knows_nothing_of_the_others(name):
    inputs, weights = drawn(name)
    others = drawn(name, 1)[0]

    def second(mine, other):  # the first row of one, the second of the other
        return np.stack([other[0], mine[1]])

    params, carry, x = half(inputs)
    carry = jax.tree.map(second, carry, others[1])
    x = jax.tree.map(lambda a, b: np.stack([b[:, 0], a[:, 1]], 1), x, half(others)[2])
    _, (last, y) = run(name, (params, carry, x), weights)
    wanted, wanted_y = whole(name)[1]
    row = jax.tree.map(lambda a: a[1], (last, wanted))
    near(row[0], row[1], 1e-12)
    near(y[:, 1], wanted_y[:, 1], 1e-12)


ENGINES = {
    Deferred(): SplitCell,
    Associative(): LinearCell,
    Chunked(3): LinearCell,
    LogSpace(): PositiveCell,
}


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        (name, engine)
        for name in ALL
        for engine, kind in ENGINES.items()
        if isinstance(make(name), kind)
    ],
    ids=str,
)
def test_engines_agree(name, engine):
    inputs, weights = drawn(name)
    near(run(name, half(inputs), weights, engine=engine), whole(name), 1e-10)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ALL)
def test_the_dtype_is_kept(name, dtype):
    inputs = cast(half(drawn(name)[0]), dtype)
    outcome = jax.jit(functools.partial(Scan(), make(name)))(*inputs)
    assert dtypes(outcome) == (dtypes(inputs[1]), dtype)
    near(outcome, transcribed(name, *jax.tree.map(double, inputs)), TOLERANCE[dtype])


@pytest.mark.parametrize("name", ALL)
def test_a_step_runs_on_one_row_and_has_a_forward_derivative(name):
    cell = make(name)
    inputs, _ = drawn(name)
    params, carry, x = half(inputs)
    carry, x_0 = at(carry, 0), at(at(x, 0), 0)

    def step(carry, x):
        own = cell.prepare(p)
        return cell.step(own, carry, cell.project(own, x))

    with jax.enable_x64(True):
        p = cast(params, "float64")
        row = cast((carry, x_0), "float64")
        outcome, moved = jax.jit(functools.partial(jax.jvp, step))(row, row)
    near(outcome, EQUATIONS[name](params, carry, x_0), TOLERANCE["float64"])
    assert dtypes(moved) == dtypes(outcome)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("name", ALL)
def test_initial_carry_is_zero(name, batch, dtype):
    own = jax.eval_shape(lambda: make(name).initial(()))
    carry = make(name).initial(batch, dtype)
    for leaf, one in zip(jax.tree.leaves(carry), jax.tree.leaves(own), strict=True):
        assert leaf.shape == (*batch, *one.shape)
        complex_ = jnp.issubdtype(one.dtype, jnp.complexfloating)
        assert leaf.dtype == (jnp.complex64 if complex_ else dtype)
        assert not double(leaf).any()


@pytest.mark.parametrize("name", ALL)
def test_is_a_value(name):
    cell = make(name)
    again = pickle.loads(pickle.dumps(cell))
    assert cell == make(name) == again
    assert hash(cell) == hash(make(name)) == hash(again)
    other = dataclasses.replace(cell, features=2 * H)
    assert other == make(name, 2 * H) and other != cell
    assert repr(cell).startswith(f"{type(cell).__name__}(features={H}")
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.features = 6


def test_cells_of_other_kinds_differ():
    assert len({make(name) for name in ALL}) == len(ALL)
    assert LSTM(H, forget_bias=0.0) != LSTM(H)


@pytest.mark.parametrize("name", ALL)
def test_parameters_are_counted(name):
    shapes = jax.eval_shape(lambda key: make(name).init(key, I), jax.random.key(0))
    assert sum(p.size for p in jax.tree.leaves(shapes)) == PARAMETERS[name]
