"""Every cell equals a NumPy transcription of its equation, and keeps the contract."""

import dataclasses
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.cells import CELLS, GRU, LSTM, Elman, GRUBefore
from rnnlab.engines import Scan

T, B, I, H = 7, 2, 3, 5  # noqa: E741
NAMES = sorted(CELLS)
TOLERANCE = {"float64": 1e-10, "float32": 2e-6, "bfloat16": 0.05}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def elman(p, h, x, act=np.tanh):
    h = act(x @ p["kernel"] + p["bias"] + h @ p["recurrent"])
    return h, h


def elman_relu(p, h, x):
    return elman(p, h, x, lambda a: np.maximum(a, 0))


def gru(p, h, x):
    u_r, u_z, u_n = np.split(x @ p["kernel"] + p["bias"], 3, -1)
    r_r, r_z, r_n = np.split(h @ p["recurrent"], 3, -1)
    r, z = sigmoid(u_r + r_r), sigmoid(u_z + r_z)
    n = np.tanh(u_n + r * (r_n + p["recurrent_bias"]))
    h = (1 - z) * n + z * h
    return h, h


def gru_before(p, h, x):
    u_r, u_z, u_n = np.split(x @ p["kernel"] + p["bias"], 3, -1)
    w_r, w_z, w_n = np.split(p["recurrent"], 3, -1)
    r, z = sigmoid(u_r + h @ w_r), sigmoid(u_z + h @ w_z)
    n = np.tanh(u_n + (r * h) @ w_n)
    h = (1 - z) * n + z * h
    return h, h


def lstm(p, carry, x):
    c, h = carry
    i, f, g, o = np.split(x @ p["kernel"] + p["bias"] + h @ p["recurrent"], 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (c, h), h


def norm(a):
    return (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5)


def layer_norm_lstm(p, carry, x):
    c, h = carry
    a = p["kernel_scale"] * norm(x @ p["kernel"]) + p["bias"]
    a = a + p["recurrent_scale"] * norm(h @ p["recurrent"])
    i, f, g, o = np.split(a, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(p["memory_scale"] * norm(c) + p["memory_bias"])
    return (c, h), h


def mingru(p, h, x):
    z, n = np.split(x @ p["kernel"] + p["bias"], 2, -1)
    h = (1 - sigmoid(z)) * h + sigmoid(z) * n
    return h, h


def peephole_lstm(p, carry, x):
    c, h = carry
    i, f, g, o = np.split(x @ p["kernel"] + p["bias"] + h @ p["recurrent"], 4, -1)
    p_i, p_f, p_o = p["peephole"]
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
    h = sigmoid(o + p_o * c) * np.tanh(c)
    return (c, h), h


def rhn(p, s, x):
    w_n, w_t = np.split(p["kernel"], 2, -1)
    for layer, (r, b) in enumerate(zip(p["recurrent"], p["bias"], strict=True)):
        (r_n, r_t), (b_n, b_t) = np.split(r, 2, -1), np.split(b, 2, -1)
        first = layer == 0
        n = np.tanh(first * (x @ w_n) + s @ r_n + b_n)
        t = sigmoid(first * (x @ w_t) + s @ r_t + b_t)
        s = n * t + s * (1 - t)
    return s, s


EQUATIONS = {
    "elman": elman,
    "elman_relu": elman_relu,
    "gru": gru,
    "gru_before": gru_before,
    "layer_norm_lstm": layer_norm_lstm,
    "lstm": lstm,
    "mingru": mingru,
    "peephole_lstm": peephole_lstm,
    "rhn": rhn,
}
PARAMETERS = {
    "elman": I * H + H * H + H,
    "elman_relu": I * H + H * H + H,
    "gru": 3 * (I * H + H * H + H) + H,
    "gru_before": 3 * (I * H + H * H + H),
    "layer_norm_lstm": 4 * (I * H + H * H + 3 * H) + 2 * H,
    "lstm": 4 * (I * H + H * H + H),
    "mingru": 2 * (I * H + H),
    "peephole_lstm": 4 * (I * H + H * H + H) + 3 * H,
    "rhn": 2 * (I * H + 2 * (H * H + H)),
}


def draw(name, seed=0):
    """Params, carry and x in double precision: no leaf zero, biases least of all."""
    rng = np.random.default_rng(seed)
    cell = CELLS[name](H)
    shapes = jax.eval_shape(
        lambda key: (cell.init(key, I), cell.initial((B,)), jnp.zeros((T, B, I))),
        jax.random.key(0),
    )
    return jax.tree.map(lambda s: rng.normal(size=s.shape) * 0.7, shapes)


def cast(tree, dtype):
    return jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)


@functools.partial(jax.jit, static_argnums=0)
def run(cell, params, carry, x):
    return Scan()(cell, params, carry, x)


def transcribed(name, params, carry, x):
    outputs = []
    for x_t in x:
        carry, y = EQUATIONS[name](params, carry, x_t)
        outputs.append(y)
    return carry, np.stack(outputs)


def close(actual, desired, tolerance):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        a, d = (np.asarray(v, np.float64) for v in (a, d))
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


def test_each_cell_has_an_equation_here():
    assert EQUATIONS.keys() == PARAMETERS.keys() == CELLS.keys()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NAMES)
def test_equals_its_equation_and_keeps_the_dtype(name, dtype):
    with jax.enable_x64(True):
        inputs = cast(draw(name), dtype)
        actual = run(CELLS[name](H), *inputs)
        assert {leaf.dtype for leaf in jax.tree.leaves(actual)} == {jnp.dtype(dtype)}
        desired = transcribed(
            name, *jax.tree.map(lambda a: np.asarray(a, np.float64), inputs)
        )
        close(actual, desired, TOLERANCE[dtype])


@pytest.mark.parametrize("name", NAMES)
def test_one_step_equals_its_equation_on_one_row(name):
    with jax.enable_x64(True):
        params, carry, x = draw(name)
        row = jax.tree.map(lambda a: a[0], carry)
        cell, p = CELLS[name](H), cast(params, "float64")
        actual = cell.step(p, cast(row, "float64"), cell.project(p, x[0, 0]))
        close(actual, EQUATIONS[name](params, row, x[0, 0]), 1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_equals_finite_differences(name):
    cell = CELLS[name](H)
    weights = jax.tree.map(np.cos, transcribed(name, *draw(name)))

    @jax.jit
    def loss(inputs):
        outcome = run(cell, *inputs)
        return sum(
            jnp.sum(a * w)
            for a, w in zip(
                jax.tree.leaves(outcome), jax.tree.leaves(weights), strict=True
            )
        )

    with jax.enable_x64(True):
        at, along = draw(name), draw(name, seed=1)

        def moved(by):
            return jax.tree.map(lambda a, d: a + by * d, at, along)

        step = 1e-6
        measured = (loss(moved(step)) - loss(moved(-step))) / (2 * step)
        products = jax.tree.map(np.vdot, jax.grad(loss)(at), along)
        close(sum(jax.tree.leaves(products)), measured, 1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_alone_gives_what_it_gives_in_the_batch(name):
    with jax.enable_x64(True):
        params, carry, x = cast(draw(name), "float64")
        cell = CELLS[name](H)
        after, y = run(cell, params, carry, x)
        row = jax.tree.map(lambda leaf: leaf[1:], carry)
        alone = run(cell, params, row, x[:, 1:])
        close(alone, (jax.tree.map(lambda leaf: leaf[1:], after), y[:, 1:]), 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_two_halves_equal_the_whole(name):
    params, carry, x = cast(draw(name), "float32")
    cell = CELLS[name](H)
    after, y = run(cell, params, carry, x)
    middle, first = run(cell, params, carry, x[:4])
    last, second = run(cell, params, middle, x[4:])
    close((last, jnp.concatenate([first, second])), (after, y), 2e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_initial_carry_is_zero(name, batch, dtype):
    for leaf in jax.tree.leaves(CELLS[name](H).initial(batch, dtype)):
        assert leaf.shape == (*batch, H) and leaf.dtype == dtype
        assert not np.asarray(leaf, np.float32).any()


@pytest.mark.parametrize("name", NAMES)
def test_is_a_value(name):
    cell = CELLS[name](H)
    again = pickle.loads(pickle.dumps(cell))
    assert cell == CELLS[name](H) == again
    assert hash(cell) == hash(CELLS[name](H)) == hash(again)
    other = dataclasses.replace(cell, features=H + 1)
    assert other == CELLS[name](H + 1) and other != cell
    assert repr(cell).startswith(f"{type(cell).__name__}(features={H}")
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.features = 6


def test_cells_of_other_kinds_differ():
    assert len({CELLS[name](H) for name in NAMES}) == len(NAMES)
    assert LSTM(H, forget_bias=0.0) != LSTM(H)


WIDE_IN, WIDE = 48, 40


@functools.lru_cache  # not compiled as a whole: what cells have in common is
def init_wide(cell, seed):
    return cell.init(jax.random.key(seed), WIDE_IN)


@pytest.mark.parametrize("name", NAMES)
def test_initial_parameters(name):
    params = init_wide(CELLS[name](WIDE), 3)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    gates = params["kernel"].shape[-1] // WIDE
    bound = np.sqrt(6 / (WIDE_IN + WIDE))
    for block in np.split(np.asarray(params["kernel"]), gates, -1):
        assert np.abs(block).max() <= bound
        assert abs(block.std() / (bound / np.sqrt(3)) - 1) < 0.05
    blocks = [
        block
        for layer in np.reshape(params.get("recurrent", []), (-1, WIDE, gates * WIDE))
        for block in np.split(layer, gates, -1)
    ]
    for block in blocks:
        close(block.T @ block, np.eye(WIDE), 1e-5)
    for other in blocks[1:]:
        assert np.abs(blocks[0] - other).max() > 0.1
    bias = np.zeros(gates * WIDE)
    bias[WIDE : 2 * WIDE] = {"rhn": -2, "mingru": 0}.get(name, "lstm" in name)
    for layer in np.reshape(params["bias"], (-1, gates * WIDE)):
        np.testing.assert_array_equal(layer, bias)
    for other in set(params) - {"kernel", "recurrent", "bias"}:
        np.testing.assert_array_equal(params[other], float("scale" in other))


@pytest.mark.parametrize("name", ["gru", "lstm", "rhn"])
def test_decomposes_one_matrix_at_a_time(name):
    """Batches of decompositions at once, as of two layers, may never end on a CPU."""
    cell = CELLS[name](H)
    seeds = jax.vmap(lambda key: cell.init(key, I))
    keys = jax.random.split(jax.random.key(0), 2)
    lowered = jax.jit(seeds).lower(keys).as_text()
    calls = [line for line in lowered.splitlines() if "@lapack" in line]
    assert calls
    assert all(f"(tensor<{H}x{H}xf32>" in line for line in calls), calls
    drawn = seeds(keys)
    for one, key in enumerate(keys):
        for leaf, alone in zip(
            jax.tree.leaves(drawn), jax.tree.leaves(cell.init(key, I)), strict=True
        ):
            np.testing.assert_allclose(leaf[one], alone, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_drawn_by_the_key(name):
    cell = CELLS[name](WIDE)
    params, again = init_wide(cell, 0), cell.init(jax.random.key(0), WIDE_IN)
    jax.tree.map(np.testing.assert_array_equal, params, again)
    for part in {"kernel", "recurrent"} & params.keys():
        assert not np.array_equal(params[part], init_wide(cell, 1)[part])


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_counted(name):
    shapes = jax.eval_shape(lambda key: CELLS[name](H).init(key, I), jax.random.key(0))
    assert sum(p.size for p in jax.tree.leaves(shapes)) == PARAMETERS[name]


def test_forget_bias_is_what_was_asked_for():
    bias = init_wide(LSTM(WIDE, forget_bias=2.5), 0)["bias"]
    np.testing.assert_array_equal(bias, np.repeat([0, 2.5, 0, 0], WIDE))


@pytest.mark.parametrize("value", [0, -1, True, 2.5, "8", None])
@pytest.mark.parametrize("kind", [Elman, GRU, GRUBefore, LSTM])
def test_bad_features_are_named(kind, value):
    with pytest.raises(ValueError) as error:
        kind(value)
    for part in (kind.__name__, "features", repr(value)):
        assert part in str(error.value)


def test_bad_activation_is_named():
    with pytest.raises(ValueError, match=r"activation.*tanh, relu.*'sigmoid'"):
        Elman(H, activation="sigmoid")
