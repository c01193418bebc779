"""Layers of other libraries compute the same with converted parameters."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from rnnlab.cells import GRU, LSTM, ConvLSTM, Elman, GRUBefore
from rnnlab.engines import Scan
from rnnlab.interop import equinox, flax, haiku, keras, torch

T, B, I, H = 5, 2, 3, 4  # noqa: E741
CELLS = {
    "simple": Elman(H),
    "relu": Elman(H, "relu"),
    "lstm": LSTM(H),
    "gru": GRU(H),
    "gru_before": GRUBefore(H),
    "conv_lstm": ConvLSTM(H, size=(2, 3)),
}
X = np.random.default_rng(0).normal(size=(T, B, I)).astype(np.float32)
TOLERANCE = 2e-6


def drawn(name, in_features=I, seed=0):
    """Returns params of which none is zero."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: CELLS[name].init(jax.random.key(0), in_features))
    return {k: rng.normal(size=s.shape).astype(np.float32) for k, s in shapes.items()}


def same(actual, desired):
    assert jax.tree.structure(actual) == jax.tree.structure(desired)
    jax.tree.map(np.testing.assert_array_equal, actual, desired)


scan = jax.jit(lambda cell, *inputs: Scan()(cell, *inputs), static_argnums=0)


def ours(name, layers, x=X):
    """Returns y of stacked layers, each read one way or both ways."""
    cell = CELLS[name]
    for layer in layers:
        start = cell.initial((B,))
        ways = [scan(cell, p, start, x[::step])[1][::step]
                for p, step in zip(layer, (1, -1), strict=False)]  # fmt: skip
        x = np.concatenate(ways, -1)
    return x


TORCH = {
    "simple": ("RNN", torch.from_rnn, torch.to_rnn),
    "lstm": ("LSTM", torch.from_lstm, torch.to_lstm),
    "gru": ("GRU", torch.from_gru, torch.to_gru),
}


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize(("depth", "both"), [(1, False), (2, True)])
@pytest.mark.parametrize("bias", [True, False])
def test_torch(name, depth, both, bias):
    library = pytest.importorskip("torch")
    kind, from_, to = TORCH[name]

    def make(bias):
        return getattr(library.nn, kind)(I, H, depth, bidirectional=both, bias=bias)

    peer = make(bias)
    layers = from_({k: v.numpy() for k, v in peer.state_dict().items()})
    assert [len(layer) for layer in layers] == [1 + both] * depth
    with library.no_grad():
        wanted = peer(library.tensor(X))[0].numpy()
        np.testing.assert_allclose(ours(name, layers), wanted, atol=TOLERANCE)
        other = make(bias=True)
        state = {k: library.tensor(v) for k, v in to(layers).items()}
        other.load_state_dict(state)
        again = other(library.tensor(X))[0].numpy()
    np.testing.assert_allclose(again, wanted, atol=TOLERANCE)


@pytest.mark.parametrize("name", TORCH)
def test_torch_and_back(name):
    layers = [[drawn(name, I, 0), drawn(name, I, 1)],
              [drawn(name, 2 * H, 2), drawn(name, 2 * H, 3)]]  # fmt: skip
    _, from_, to = TORCH[name]
    same(from_(to(layers)), layers)


def linen(make):
    def run(params):
        layer = nn.RNN(make(H), time_major=True)
        return layer.apply({"params": {"cell": params}}, X)

    return run


def of_nnx(make):
    def run(params):
        cell = make(I, H, rngs=nnx.Rngs(0))
        own = nnx.to_pure_dict(nnx.state(cell, nnx.Param))
        assert jax.tree.structure(own) == jax.tree.structure(params)
        nnx.update(cell, jax.tree.map(jnp.asarray, params))
        carry, y = cell.initialize_carry((B, I), rngs=nnx.Rngs(0)), []
        for x in X:
            carry, h = cell(carry, x)
            y.append(h)
        return np.stack(y)

    return run


FLAX = {
    nn.SimpleCell: ("simple", flax.from_linen_simple, flax.to_linen_simple),
    nn.LSTMCell: ("lstm", flax.from_linen_lstm, flax.to_linen_lstm),
    nn.OptimizedLSTMCell: ("lstm", flax.from_linen_lstm, flax.to_linen_lstm),
    nn.GRUCell: ("gru", flax.from_linen_gru, flax.to_linen_gru),
    nnx.SimpleCell: ("simple", flax.from_nnx_simple, flax.to_nnx_simple),
    nnx.LSTMCell: ("lstm", flax.from_nnx_lstm, flax.to_nnx_lstm),
    nnx.OptimizedLSTMCell: (
        "lstm",
        flax.from_nnx_optimized_lstm,
        flax.to_nnx_optimized_lstm,
    ),
    nnx.GRUCell: ("gru", flax.from_nnx_gru, flax.to_nnx_gru),
}


@pytest.mark.parametrize(
    "make", FLAX, ids=lambda make: f"{make.__module__.split('.')[1]}.{make.__name__}"
)
def test_flax(make):
    name, from_, to = FLAX[make]
    params = drawn(name)
    if make is nnx.GRUCell:
        params["recurrent_bias"] *= 0
    theirs = to(params)
    same(from_(theirs), params)
    run = linen(make) if issubclass(make, nn.Module) else of_nnx(make)
    np.testing.assert_allclose(run(theirs), ours(name, [[params]]), atol=TOLERANCE)


HAIKU = {
    "VanillaRNN": ("relu", "vanilla_rnn", haiku.from_vanilla_rnn, haiku.to_vanilla_rnn),
    "LSTM": ("lstm", "lstm", haiku.from_lstm, haiku.to_lstm),
    "GRU": ("gru_before", "gru", haiku.from_gru, haiku.to_gru),
}


@pytest.mark.parametrize("kind", HAIKU)
def test_haiku(kind):
    hk = pytest.importorskip("haiku")
    name, own, from_, to = HAIKU[kind]

    def run(x):
        core = getattr(hk, kind)(H)
        return hk.dynamic_unroll(core, x, core.initial_state(B))[0]

    params, peer = drawn(name), hk.without_apply_rng(hk.transform(run))
    theirs = to(params)
    shapes = jax.eval_shape(peer.init, jax.random.key(0), X)
    assert jax.tree.structure(shapes) == jax.tree.structure(theirs)
    y = peer.apply(theirs, X)
    np.testing.assert_allclose(y, ours(name, [[params]]), atol=TOLERANCE)
    again = from_(theirs | {"linear": {"w": X}})  # the model's own, beside it
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), again, params
    )
    with pytest.raises(ValueError, match=f"no module other among {own}"):
        from_(theirs, name="other")


def test_haiku_with_a_single_bias():
    params = drawn("relu")
    theirs = haiku.to_vanilla_rnn(params)
    del theirs["vanilla_rnn/linear_1"]["b"]
    same(haiku.from_vanilla_rnn(theirs), params)


EQUINOX = {
    "LSTMCell": ("lstm", equinox.from_lstm, equinox.to_lstm),
    "GRUCell": ("gru", equinox.from_gru, equinox.to_gru),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", EQUINOX)
def test_equinox(kind, bias):
    eqx = pytest.importorskip("equinox")
    name, from_, to = EQUINOX[kind]
    peer = getattr(eqx.nn, kind)(I, H, use_bias=bias, key=jax.random.key(0))
    theirs = {k: getattr(peer, k) for k in to(drawn(name))}
    params = from_(theirs)
    zeros = {k: np.zeros_like(v) for k, v in to(params).items()}
    back = {k: zeros[k] if v is None else np.asarray(v) for k, v in theirs.items()}
    same(to(params), back)
    h, y = jnp.zeros((B, H)), []
    carry = (h, h) if name == "lstm" else h
    for x in X:
        carry = jax.vmap(peer)(x, carry)
        y.append(carry[0] if name == "lstm" else carry)
    np.testing.assert_allclose(np.stack(y), ours(name, [[params]]), atol=TOLERANCE)


KERAS = {  # layer, its arguments, rnnlab's cell, from and to
    "SimpleRNN": (
        "SimpleRNN",
        {},
        "simple",
        keras.from_simple_rnn,
        keras.to_simple_rnn,
    ),
    "LSTM": ("LSTM", {}, "lstm", keras.from_lstm, keras.to_lstm),
    "GRU": ("GRU", {}, "gru", keras.from_gru, keras.to_gru),
    "GRU before": (
        "GRU",
        {"reset_after": False},
        "gru_before",
        keras.from_gru_before,
        keras.to_gru_before,
    ),
    "ConvLSTM2D": (
        "ConvLSTM2D",
        {"kernel_size": 3, "padding": "same"},
        "conv_lstm",
        keras.from_conv_lstm,
        keras.to_conv_lstm,
    ),
}


@pytest.mark.parametrize("case", KERAS)
def test_keras_and_back(case):
    _, _, name, from_, to = KERAS[case]
    params = drawn(name)
    weights = to(params)
    same(from_(weights), params)
    gates = weights[1].shape[-1] // H
    for block in range(gates):  # the first two of a GRU stand the other way
        at = [1, 0, 2][block] if gates == 3 else block
        for part, theirs in zip(("kernel", "recurrent"), weights, strict=False):
            one, other = (np.split(a, gates, -1) for a in (params[part], theirs))
            same(other[block], one[at])
    bare = from_(weights[:2])
    assert not any(bare[k].any() for k in bare if "bias" in k)
    same({k: bare[k].shape for k in bare}, {k: params[k].shape for k in params})


@pytest.mark.parametrize("case", KERAS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras(case, bias, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # read when keras is imported
    layers = pytest.importorskip("keras").layers
    kind, arguments, name, from_, to = KERAS[case]
    layer = getattr(layers, kind)(H, return_sequences=True, use_bias=bias, **arguments)
    x = np.random.default_rng(0).normal(size=(T, B, *(2, 3) * (name == "conv_lstm"), I))
    x = x.astype(np.float32)
    y = np.moveaxis(np.asarray(layer(np.moveaxis(x, 0, 1))), 1, 0)
    params = from_(layer.get_weights())
    wanted = ours(name, [[params]], x)
    np.testing.assert_allclose(y, wanted, atol=TOLERANCE)
    if bias:
        params = drawn(name)
        layer.set_weights(to(params))
        y = np.moveaxis(np.asarray(layer(np.moveaxis(x, 0, 1))), 1, 0)
        np.testing.assert_allclose(y, ours(name, [[params]], x), atol=TOLERANCE)


def without(tree, name):
    return {k: v for k, v in tree.items() if k != name}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: torch.from_lstm(
                without(torch.to_lstm([[drawn("lstm")]]), "bias_hh_l0")
            ),
            "missing are bias_hh_l0, unknown none",
        ),
        (
            lambda: torch.from_lstm(
                torch.to_lstm([[drawn("lstm")]]) | {"weight_hr_l0": np.ones((2, H))}
            ),
            "missing are none, unknown weight_hr_l0",
        ),
        (lambda: torch.from_rnn({}), "got none: missing are weight_hh_l0, weight_ih"),
        (
            lambda: torch.from_lstm(torch.to_rnn([[drawn("simple")]])),
            r"4 blocks of columns, so that kernel would be \[3, 16\], got \[3, 4\]",
        ),
        (
            lambda: torch.to_lstm([[drawn("gru")]]),
            "missing are none, unknown recurrent_bias",
        ),
        (lambda: torch.to_rnn([[drawn("simple")] * 3]), "got 3 in layer 0"),
        (
            lambda: torch.to_rnn([[drawn("simple")], [drawn("simple")] * 2]),
            "got 2 in layer 1",
        ),
        (
            lambda: flax.from_linen_lstm(flax.to_nnx_lstm(drawn("lstm"))),
            "missing are if/kernel, unknown if_/kernel",
        ),
        (
            lambda: flax.from_nnx_gru(flax.to_nnx_optimized_lstm(drawn("lstm"))),
            "missing are dense_i/bias, unknown dense_h/bias",
        ),
        (
            lambda: flax.from_nnx_gru(flax.to_nnx_simple(drawn("simple"))),
            "3 blocks of columns",
        ),
        (lambda: flax.to_nnx_gru(drawn("gru")), "recurrent_bias has to be zero"),
        (
            lambda: keras.from_gru(keras.to_gru_before(drawn("gru_before"))),
            r"bias of \[2, 3H\], got \[12\]; take from_gru_before",
        ),
        (
            lambda: keras.from_gru_before(keras.to_gru(drawn("gru"))),
            r"bias would be \[12\], got \[2, 12\]",
        ),
        (lambda: keras.from_lstm([np.ones((I, 4 * H))]), "in that order, got 1 arrays"),
        (lambda: keras.to_lstm(drawn("gru")), "unknown recurrent_bias"),
        (
            lambda: equinox.from_gru(equinox.to_lstm(drawn("lstm"))),
            "missing are bias_n, unknown none",
        ),
        (
            lambda: haiku.from_gru(
                {"gru": haiku.to_lstm(drawn("lstm"))["lstm/linear"]}
            ),
            "missing are w_h, w_i, unknown w",
        ),
        (
            lambda: flax.to_linen_gru(without(drawn("gru"), "bias")),
            "missing are bias, unknown none",
        ),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
