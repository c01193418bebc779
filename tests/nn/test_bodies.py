"""Layers without recurrence: they carry what they need, and look at nothing ahead."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.cells import LRU, QRNN
from rnnlab.nn import (
    TCN,
    Blocks,
    LanguageModel,
    Recurrent,
    Softmax,
    Transformer,
    Windowed,
)
from rnnlab.nn.depthwise import DepthwiseConv
from rnnlab.nn.tcn import CausalConv
from rnnlab.nn.transformer import Attention, rotated, visible

E, T, B = 6, 13, 2
UNITS = 8 * 8 // 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(T, B, E)).astype(np.float32)
BODIES = {
    "tcn": TCN(E, (4, 4, 5)),
    "tcn of pairs": TCN(E, (E, E), kernel=2),
    "transformer": Transformer(8, layers=2, heads=2, context=5),
    "transformer without a map": Transformer(E, layers=1, heads=1, context=20),
    "blocks": Blocks(8, (LRU(8), LRU(8)), kernel=3),
    "windowed": Windowed((E, 5), (QRNN(5), QRNN(4)), 3),
}
# A convolution has kernel, bias and gain; a change of features a linear map.
PARAMETERS = {
    "tcn": (3 * E * 4 + 8) + 3 * (3 * 4 * 4 + 8) + (3 * 4 * 5 + 10) + (3 * 5 * 5 + 10)
    + (E * 4 + 4) + (4 * 5 + 5),
    "tcn of pairs": 4 * (2 * E * E + 2 * E),
    "transformer": E * 8 + 2 * (4 * 8 * 8 + 3 * 8 * UNITS + 2 * 8) + 8,
    "transformer without a map": 4 * E * E + 3 * E * 16 + 3 * E,
    "blocks": E * 8
    + 2 * ((3 * 8 * 8 + 4 * 8) + (3 * 8 + 5 * 8 * 8) + 3 * 8 * UNITS + 2 * 8) + 8,
    "windowed": 3 * E * 3 * 5 + 3 * 5 * 3 * 4,
}  # fmt: skip
# The furthest input that an output sees, in steps back.
REACH = {
    "tcn": 2 * 2 * (1 + 2 + 4),
    "tcn of pairs": 2 * (1 + 2),
    "transformer": 2 * 5,
    "transformer without a map": 20,
}


@functools.cache
def params_of(name):
    """Returns parameters as a body makes them, all drawn: biases too are not zero."""
    body, rng = BODIES[name], np.random.default_rng(1)
    shapes = jax.eval_shape(body.init, jax.random.key(0), body.initial((B,)), X)
    return jax.tree.map(
        lambda s: 0.5 * rng.normal(size=s.shape).astype(np.float32), shapes
    )


@functools.partial(jax.jit, static_argnums=0)
def outcome(name, carries, x):
    return BODIES[name].apply(params_of(name), carries, x)


def close(actual, desired, tolerance=5e-6):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("lengths", [(5, 8), (12, 1), (1,) * T])
@pytest.mark.parametrize("name", BODIES)
def test_windows_one_after_the_other_are_one(name, lengths):
    carries = start = BODIES[name].initial((B,))
    outputs = []
    for window in np.split(X, np.cumsum(lengths)[:-1]):
        carries, y = outcome(name, carries, window)
        outputs.append(y)
    close((carries, jnp.concatenate(outputs)), outcome(name, start, X), 2e-5)


@pytest.mark.parametrize("name", REACH)
def test_what_an_output_sees(name):
    """Nothing ahead, exactly; and all from its reach on, not a step before."""
    steps = REACH[name] + 3
    x = np.random.default_rng(2).normal(size=(steps, 1, E)).astype(np.float32)
    params, start = params_of(name), BODIES[name].initial((1,))
    if name.startswith("tcn"):  # no relu cuts off what is above zero
        x, params = jax.tree.map(np.abs, (x, params))

    @jax.jit
    def slope(x, at):
        apply = BODIES[name].apply
        return jax.grad(lambda x: jnp.sum(apply(params, start, x)[1][at] ** 2))(x)

    for at in (0, 1, steps - 1):
        seen = np.flatnonzero(np.abs(slope(x, at)).sum((1, 2)))
        first = max(0, at - REACH[name])
        np.testing.assert_array_equal(seen, np.arange(first, at + 1))


@pytest.mark.parametrize("name", BODIES)
def test_parameters_are_those_of_the_formula(name):
    leaves = jax.tree.leaves(params_of(name))
    assert sum(leaf.size for leaf in leaves) == PARAMETERS[name]


def norm(params, x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * params["scale"]


def network(params, x):
    made = x @ params["gate_and_value"]["kernel"]
    gate, value = np.split(made, 2, -1)
    return gate / (1 + np.exp(-gate)) * value @ params["out"]["kernel"]


def recurrent(params, start, x):
    """Griffin's recurrent block: a cell after a convolution, and a gate."""
    gate, value = np.split(x @ params["gate_and_value"]["kernel"], 2, -1)
    w, value = params["DepthwiseConv_0"], [np.zeros_like(value[:2]), value]
    value = np.concatenate(value)
    value = sum(w["kernel"][k] * value[k : k + T] for k in range(3)) + w["bias"]
    given = {"params": params["Recurrent_0"]}, start, value
    gate *= (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3))) / 2
    return gate * Recurrent(LRU(8)).apply(*given)[1] @ params["out"]["kernel"]


@pytest.mark.parametrize("name", ["transformer", "blocks"])
def test_blocks_are_sums_of_what_norms_feed(name):
    """The wiring by hand; attention and cells have their own tests."""
    body, params = BODIES[name], params_of(name)["params"]
    start = body.initial((B,))
    x = X * E**0.5 @ params["entry"]["kernel"]
    for k in range(2):
        if name == "blocks":
            below = norm(params[f"cell_norm_{k}"], x)
            y = recurrent(params[f"RecurrentBlock_{k}"], start[k][1], below)
        else:
            given, mask = params[f"Attention_{k}"], visible(start.held, T, 5)
            below = norm(params[f"attention_norm_{k}"], x).swapaxes(0, 1)
            layer = functools.partial(
                Attention(2, jax.nn.initializers.zeros).apply, {"params": given}
            )
            y = layer(start.layers[k], mask, below)[1].swapaxes(0, 1)
        x = x + np.asarray(y)
        below = norm(params[f"network_norm_{k}"], x)
        x = x + network(params[f"GatedNetwork_{k}"], below)
    close(outcome(name, start, X)[1], norm(params["last_norm_1"], x), 1e-4)


@pytest.mark.parametrize("name", BODIES)
def test_gradients_are_finite_and_reach_each_parameter(name):
    tokens = RNG.integers(7, size=(2, T, B))
    model = LanguageModel(E, BODIES[name].clone(dropout=0.2), Softmax(7))
    start = model.initial((B,))
    params = jax.jit(model.init)(jax.random.key(0), start, tokens[0])["params"]

    def loss(params):
        rngs = {"dropout": jax.random.key(1)}
        given = {"params": params}, start, *tokens
        return model.apply(*given, method="objective", rngs=rngs)[1].mean()

    for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(params)):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0


@functools.partial(jax.jit, static_argnums=(0, 1))
def trained(name, body, seed):
    """Returns y for inputs that are the same at all steps."""
    given = params_of(name), BODIES[name].initial((B,)), jnp.ones_like(X)
    return body.apply(*given, True, rngs={"dropout": jax.random.key(seed)})[1]


# The first two are of so short a reach that the last outputs have seen no start.
@pytest.mark.parametrize("name", ["tcn of pairs", "transformer", "blocks", "windowed"])
def test_masks_are_drawn_by_the_key_for_each_step_or_for_all(name):
    each = BODIES[name].clone(dropout=0.5)
    once = each.clone(variational=True)
    for body in (each, once):
        assert (trained(name, body, 0) == trained(name, body, 0)).all()
        assert (trained(name, body, 0) != trained(name, body, 1)).any()
    if name in REACH:  # other states have seen how many steps there were
        close(trained(name, once, 0)[-1], trained(name, once, 0)[-3])
    assert (trained(name, each, 0)[-1] != trained(name, each, 0)[-3]).any()
    start = BODIES[name].initial((B,))
    evaluated = jax.jit(each.apply)(params_of(name), start, X)
    close(evaluated, outcome(name, start, X))


def test_layers_of_windows_are_convolutions_before_cells():
    """Two layers by hand: each one's u_t = sum_k W_k x_{t-k}, then pooling."""
    body, x = BODIES["windowed"], X
    for k, below in enumerate((E, 5)):
        params = params_of("windowed")["params"][f"Recurrent_{k}"]["cell"]
        w = params["kernel"].reshape(3, below, -1)  # the oldest first
        padded = np.concatenate([np.zeros_like(x[:2]), x])
        u = sum(padded[j : j + T] @ w[j] for j in range(3))
        z, f, o = np.split(u, 3, -1)
        f, o, c, x = 1 / (1 + np.exp(-f)), 1 / (1 + np.exp(-o)), 0, []
        for t in range(T):
            c = f[t] * c + (1 - f[t]) * np.tanh(z[t])
            x.append(o[t] * c)
        x = np.stack(x)
    close(outcome("windowed", body.initial((B,)), X)[1], x)


def test_a_convolution_of_each_feature_is_torch_s():
    torch = pytest.importorskip("torch")
    layer = DepthwiseConv(E, 4)
    past = RNG.normal(size=(B, 3, E)).astype(np.float32)
    made = {"kernel": RNG.normal(size=(4, E)), "bias": RNG.normal(size=E)}
    made = {name: a.astype(np.float32) for name, a in made.items()}
    after, y = jax.jit(layer.apply)({"params": made}, past, X)
    whole = np.concatenate([past, X.swapaxes(0, 1)], axis=1)
    np.testing.assert_array_equal(after, whole[:, -3:])
    kernel, bias = torch.tensor(made["kernel"].T[:, None]), torch.tensor(made["bias"])
    given = torch.tensor(whole).mT, kernel, bias
    close(y, torch.nn.functional.conv1d(*given, groups=E).permute(2, 0, 1).numpy())


def test_a_convolution_is_torch_s():
    torch = pytest.importorskip("torch")
    layer, x = CausalConv(4, kernel=3, dilation=2), X
    past = np.zeros((B, 4, E), np.float32)
    made = layer.init(jax.random.key(0), past, x)["params"]
    made = made | {"g": made["g"] * 2, "bias": RNG.normal(size=4).astype(np.float32)}
    _, y = jax.jit(layer.apply)({"params": made}, past, x)
    peer = torch.nn.Conv1d(E, 4, 3, dilation=2)
    peer = torch.nn.utils.parametrizations.weight_norm(peer)
    v = np.asarray(made["v"]).reshape(3, E, 4)
    with torch.no_grad():
        weight = peer.parametrizations.weight
        weight.original0.copy_(torch.tensor(np.array(made["g"]))[:, None, None])
        weight.original1.copy_(torch.tensor(v.transpose(2, 1, 0).copy()))
        peer.bias.copy_(torch.tensor(made["bias"]))
        padded = torch.nn.functional.pad(torch.tensor(x).permute(1, 2, 0), (4, 0))
        close(y, peer(padded).permute(2, 0, 1).numpy())


def test_a_tcn_is_torch_s():
    """Two blocks of the authors' code, without dropout, weights copied."""
    torch = pytest.importorskip("torch")
    body, name = BODIES["tcn of pairs"], "tcn of pairs"
    params = params_of(name)["params"]
    y = torch.tensor(X).permute(1, 2, 0)
    for k in range(2):
        x = y
        for conv in (f"first_{k}", f"second_{k}"):
            own = {n: np.asarray(a) for n, a in params[conv].items()}
            v = own["v"].reshape(2, E, E).transpose(2, 1, 0)
            w = own["g"][:, None, None] * v / np.sqrt((v**2).sum((1, 2), keepdims=True))
            y = torch.nn.functional.pad(y, (2**k, 0))
            w, b = torch.tensor(w), torch.tensor(own["bias"])
            y = torch.relu(torch.nn.functional.conv1d(y, w, b, dilation=2**k))
        y = torch.relu(x + y)
    close(outcome(name, body.initial((B,)), X)[1], y.permute(2, 0, 1).numpy(), 2e-5)


@pytest.mark.parametrize("held", [0, 2, 5])
def test_attention_by_hand(held):
    """Attention of each step to the tokens held and its own, in NumPy, one by one."""
    heads, context, width, steps = 2, 5, 4, 7
    layer = Attention(heads, jax.nn.initializers.lecun_normal())
    x = RNG.normal(size=(1, steps, heads * width)).astype(np.float32)
    past = tuple(RNG.normal(size=(2, 1, context, heads, width)).astype(np.float32))
    mask = visible(np.array([held]), steps, context)
    params = layer.init(jax.random.key(0), past, mask, x)
    after, y = jax.jit(layer.apply)(params, past, mask, x)
    kernels = jax.tree.map(np.float64, params["params"])
    made = x[0] @ kernels["queries_keys_values"]["kernel"]
    queries, keys, values = made.reshape(steps, 3, heads, width).swapaxes(0, 1)
    keys = np.concatenate([past[0][0], keys])
    values = np.concatenate([past[1][0], values])
    close(after, (keys[None, steps:], values[None, steps:]))
    for t in range(steps):
        got = []
        for n in range(heads):
            places = [p for p in range(context + t + 1) if p >= context - held]
            places = [p for p in places if context + t - p <= context]
            scores = [
                turned(queries[t, n], context + t) @ turned(keys[p, n], p) / width**0.5
                for p in places
            ]
            share = np.exp(scores) / np.exp(scores).sum()
            got.append(share @ values[places, n])
        wanted = np.concatenate(got) @ kernels["out"]["kernel"]
        close(y[0, t], wanted, 2e-5)


def turned(x, position):
    """Returns a vector whose halves are the real and imaginary parts of a rotation."""
    half = len(x) // 2
    turn = np.exp(1j * position * 10_000.0 ** (-np.arange(half) / half))
    z = (x[:half] + 1j * x[half:]) * turn
    return np.concatenate([z.real, z.imag])


def test_rotations_tell_distances_not_places():
    q, k = RNG.normal(size=(2, 1, 9, 1, 8)).astype(np.float32)
    near, far = (
        np.einsum("btnd,bsnd->ts", rotated(q, first), rotated(k, first))
        for first in (0, 500)
    )
    close(near, far, 1e-3)
    same = np.ones((1, 9, 1, 8), np.float32)
    products = np.einsum("btnd,bsnd->ts", rotated(same), rotated(same))
    close(np.diagonal(products, 2), products[0, 2], 1e-5)
    assert products[0, 0] > products[0, 3] + 1


def test_heads_that_do_not_divide_the_features():
    body = Transformer(6, layers=1, heads=2, context=3)
    with pytest.raises(ValueError, match="multiple of twice its heads, got 6 and 2"):
        jax.eval_shape(body.init, jax.random.key(0), body.initial((B,)), X)
