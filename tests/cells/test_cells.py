"""Every cell equals a NumPy transcription of its equation, and keeps the contract."""

import dataclasses
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import GRID, NAMES, H, I, cast, draw, make, weighed

from rnnlab.cells import GRU, LRU, LSTM, ConvLSTM, Elman, GRUBefore
from rnnlab.engines import Scan

T, B = 7, 2
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


def convolved(x, kernel):
    """A window of 3 x 3 around each point of [..., X, Y, I]; zeros outside."""
    x = np.pad(x, [(0, 0)] * (x.ndim - 3) + [(1, 1), (1, 1), (0, 0)])
    return sum(
        x[..., i : i + GRID[0], j : j + GRID[1], :] @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    )


def conv_lstm(p, carry, x):
    c, h = carry
    a = convolved(x, p["kernel"]) + p["bias"] + convolved(h, p["recurrent"])
    i, f, g, o = np.split(a, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (c, h), h


def lru(p, h, x):
    eigenvalues = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    b_real, b_imaginary = np.split(p["kernel"], 2, -1)
    c_real, c_imaginary = np.split(p["readout"], 2, 0)
    gamma = np.exp(p["log_gamma"])
    h = eigenvalues * h + gamma * (x @ (b_real + 1j * b_imaginary))
    return h, (h @ (c_real - 1j * c_imaginary)).real + x @ p["skip"]


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
    "conv_lstm": conv_lstm,
    "elman": elman,
    "elman_relu": elman_relu,
    "gru": gru,
    "gru_before": gru_before,
    "layer_norm_lstm": layer_norm_lstm,
    "lru": lru,
    "lstm": lstm,
    "mingru": mingru,
    "peephole_lstm": peephole_lstm,
    "rhn": rhn,
}
PARAMETERS = {
    "conv_lstm": 4 * (9 * I * H + 9 * H * H + H),
    "elman": I * H + H * H + H,
    "elman_relu": I * H + H * H + H,
    "gru": 3 * (I * H + H * H + H) + H,
    "gru_before": 3 * (I * H + H * H + H),
    "layer_norm_lstm": 4 * (I * H + H * H + 3 * H) + 2 * H,
    "lru": 3 * H + 3 * I * H + 2 * H * H,
    "lstm": 4 * (I * H + H * H + H),
    "mingru": 2 * (I * H + H),
    "peephole_lstm": 4 * (I * H + H * H + H) + 3 * H,
    "rhn": 2 * (I * H + 2 * (H * H + H)),
}


def inputs_of(name, seed=0):
    """Returns params, carry and x."""
    return draw(name, T, (B,), seed)[0]


@functools.partial(jax.jit, static_argnums=0)
def run(cell, params, carry, x):
    return Scan()(cell, params, carry, x)


def transcribed(name, params, carry, x):
    outputs = []
    for x_t in x:
        carry, y = EQUATIONS[name](params, carry, x_t)
        outputs.append(y)
    return carry, np.stack(outputs)


def near(actual, desired, tolerance):
    """Asserts equal numbers, whatever the dtypes."""
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(double(a), double(d), rtol=tolerance, atol=tolerance)


def double(a):
    return np.asarray(a, np.complex128 if np.iscomplexobj(a) else np.float64)


def test_each_cell_has_an_equation_here():
    assert sorted(EQUATIONS) == sorted(PARAMETERS) == NAMES


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NAMES)
def test_equals_its_equation_and_keeps_the_dtype(name, dtype):
    with jax.enable_x64(True):
        inputs = cast(inputs_of(name), dtype)
        actual = run(make(name), *inputs)
        wanted = jax.tree.map(lambda a: a.dtype, (inputs[1], inputs[2]))
        assert jax.tree.map(lambda a: a.dtype, actual) == wanted
        desired = transcribed(name, *jax.tree.map(double, inputs))
        near(actual, desired, TOLERANCE[dtype])


@pytest.mark.parametrize("name", NAMES)
def test_one_step_equals_its_equation_on_one_row(name):
    with jax.enable_x64(True):
        params, carry, x = inputs_of(name)
        row = jax.tree.map(lambda a: a[0], carry)
        cell, p = make(name), cast(params, "float64")
        actual = cell.step(p, cast(row, "float64"), cell.project(p, x[0, 0]))
        near(actual, EQUATIONS[name](params, row, x[0, 0]), 1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_equals_finite_differences(name):
    cell = make(name)
    weights = jax.tree.map(np.cos, transcribed(name, *inputs_of(name)))

    @jax.jit
    def loss(inputs):
        outcome = run(cell, *inputs)
        return weighed(outcome, weights)

    with jax.enable_x64(True):
        at, along = inputs_of(name), inputs_of(name, seed=1)

        def moved(by):
            return jax.tree.map(lambda a, d: a + by * d, at, along)

        step = 1e-6
        measured = (loss(moved(step)) - loss(moved(-step))) / (2 * step)
        slope = weighed(jax.grad(loss)(at), along)
        near(slope, measured, 1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_alone_gives_what_it_gives_in_the_batch(name):
    with jax.enable_x64(True):
        params, carry, x = cast(inputs_of(name), "float64")
        cell = make(name)
        after, y = run(cell, params, carry, x)
        row = jax.tree.map(lambda leaf: leaf[1:], carry)
        alone = run(cell, params, row, x[:, 1:])
        near(alone, (jax.tree.map(lambda leaf: leaf[1:], after), y[:, 1:]), 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_two_halves_equal_the_whole(name):
    params, carry, x = cast(inputs_of(name), "float32")
    cell = make(name)
    after, y = run(cell, params, carry, x)
    middle, first = run(cell, params, carry, x[:4])
    last, second = run(cell, params, middle, x[4:])
    near((last, jnp.concatenate([first, second])), (after, y), 2e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_initial_carry_is_zero(name, batch, dtype):
    (_, wanted, _), _ = draw(name, 1, ())
    carry = make(name).initial(batch, dtype)
    for leaf, own in zip(jax.tree.leaves(carry), jax.tree.leaves(wanted), strict=True):
        assert leaf.shape == (*batch, *own.shape)
        assert leaf.dtype == (jnp.complex64 if np.iscomplexobj(own) else dtype)
        assert not double(leaf).any()


@pytest.mark.parametrize("name", NAMES)
def test_is_a_value(name):
    cell = make(name)
    again = pickle.loads(pickle.dumps(cell))
    assert cell == make(name) == again
    assert hash(cell) == hash(make(name)) == hash(again)
    other = dataclasses.replace(cell, features=H + 1)
    assert other == make(name, H + 1) and other != cell
    assert repr(cell).startswith(f"{type(cell).__name__}(features={H}")
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.features = 6


def test_cells_of_other_kinds_differ():
    assert len({make(name) for name in NAMES}) == len(NAMES)
    assert LSTM(H, forget_bias=0.0) != LSTM(H)


WIDE_IN, WIDE = 48, 40


@functools.lru_cache  # not compiled as a whole: what cells have in common is
def init_wide(cell, seed):
    return cell.init(jax.random.key(seed), WIDE_IN)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"conv_lstm", "lru"}))
def test_initial_parameters(name):
    params = init_wide(make(name, WIDE), 3)
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
        near(block.T @ block, np.eye(WIDE), 1e-5)
    for other in blocks[1:]:
        assert np.abs(blocks[0] - other).max() > 0.1
    bias = np.zeros(gates * WIDE)
    bias[WIDE : 2 * WIDE] = {"rhn": -2, "mingru": 0}.get(name, "lstm" in name)
    for layer in np.reshape(params["bias"], (-1, gates * WIDE)):
        np.testing.assert_array_equal(layer, bias)
    for other in set(params) - {"kernel", "recurrent", "bias"}:
        np.testing.assert_array_equal(params[other], float("scale" in other))


def test_initial_windows_are_glorot_by_gate():
    params = init_wide(ConvLSTM(WIDE, size=(4, 4)), 3)
    for part, channels in (("kernel", WIDE_IN), ("recurrent", WIDE)):
        assert params[part].shape == (3, 3, channels, 4 * WIDE)
        bound = np.sqrt(6 / (9 * (channels + WIDE)))
        for block in np.split(np.asarray(params[part]), 4, -1):
            assert np.abs(block).max() <= bound
            assert abs(block.std() / (bound / np.sqrt(3)) - 1) < 0.05
    np.testing.assert_array_equal(params["bias"], np.repeat([0, 1, 0, 0], WIDE))


def test_initial_eigenvalues_are_on_their_ring():
    cell = LRU(2000, smallest=0.5, largest=0.99, angle=np.pi / 2)
    params = cell.init(jax.random.key(0), WIDE_IN)
    u = cell.project(params, jnp.zeros(WIDE_IN))
    a, b = cell.coefficients(params, u)
    assert np.abs(a).min() >= 0.5 - 1e-6 and np.abs(a).max() <= 0.99 + 1e-6
    # Uniform on the ring: the square of the modulus is uniform, and so is the angle.
    quarters = np.quantile(np.abs(a) ** 2, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(
        quarters, 0.25 + (0.99**2 - 0.25) * np.array([0.25, 0.5, 0.75]), atol=0.03
    )
    np.testing.assert_allclose(
        np.quantile(np.angle(a), [0, 0.5, 1]), [0, np.pi / 4, np.pi / 2], atol=0.05
    )
    gamma = np.exp(params["log_gamma"])
    np.testing.assert_allclose(gamma, np.sqrt(1 - np.abs(a) ** 2), rtol=1e-3)
    assert not np.any(b)
    for part, variance in (
        ("kernel", 1 / (2 * WIDE_IN)), ("readout", 1 / 2000), ("skip", 1 / WIDE_IN)
    ):  # fmt: skip
        assert np.var(params[part]) == pytest.approx(variance, rel=0.03)


def test_a_whole_ring_has_finite_parameters():
    for seed in range(20):
        params = LRU(WIDE).init(jax.random.key(seed), 1)
        assert all(np.isfinite(leaf).all() for leaf in params.values())


@pytest.mark.parametrize("name", ["gru", "lstm", "rhn"])
def test_decomposes_one_matrix_at_a_time(name):
    """Batches of decompositions at once, as of two layers, may never end on a CPU."""
    cell = make(name)
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
    cell = make(name, WIDE)
    params, again = init_wide(cell, 0), cell.init(jax.random.key(0), WIDE_IN)
    jax.tree.map(np.testing.assert_array_equal, params, again)
    for part in {"kernel", "recurrent"} & params.keys():
        assert not np.array_equal(params[part], init_wide(cell, 1)[part])


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_counted(name):
    shapes = jax.eval_shape(lambda key: make(name).init(key, I), jax.random.key(0))
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


@pytest.mark.parametrize("size", [(), (4, 0), 4, (2, 2, 2, 2), [4]])
def test_bad_grid_is_named(size):
    with pytest.raises(ValueError, match="ConvLSTM needs size"):
        ConvLSTM(H, size=size)


def test_bad_window_is_named():
    with pytest.raises(ValueError, match=r"window.*4"):
        ConvLSTM(H, size=(4,), window=4)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_grid_of_any_axes_equals_its_convolution(axes):
    """Against a sum over the window's points, each shifted."""
    rng = np.random.default_rng(0)
    size = (4, 3, 2)[:axes]
    cell = ConvLSTM(2, size=size)
    params = {
        "kernel": jnp.array(rng.normal(size=(*(3,) * axes, I, 8)), jnp.float32),
        "bias": jnp.zeros(8),
    }
    x = rng.normal(size=(2, *size, I)).astype(np.float32)
    wide = np.pad(x, [(0, 0)] + [(1, 1)] * axes + [(0, 0)])
    wanted = 0
    for offset in np.ndindex((3,) * axes):
        window = tuple(slice(o, o + n) for o, n in zip(offset, size, strict=True))
        wanted = wanted + wide[(slice(None), *window)] @ params["kernel"][offset]
    near(cell.project(params, x), wanted, 1e-4)


def test_another_grid_is_named():
    cell = ConvLSTM(H, size=(4, 4))
    params = cell.init(jax.random.key(0), I)
    carry, x = cell.initial((B,)), jnp.zeros((T, B, 1, 1, I))
    with pytest.raises(ValueError, match=r"4, 4, I\].*size of the grid"):
        Scan()(cell, params, carry, x)


BAD_RINGS = [{"smallest": 0.9, "largest": 0.5}, {"largest": 1.1}, {"smallest": -0.1}]


@pytest.mark.parametrize("ring", [*BAD_RINGS, {"angle": 0.0}, {"angle": 7.0}])
def test_bad_ring_is_named(ring):
    with pytest.raises(ValueError, match=f"LRU needs.*{list(ring)[0]}"):
        LRU(H, **ring)
