"""`Cudnn` equals `Scan`, its kernel replaced where there is no GPU; what it refuses.

In the kernel's place stands `jax.experimental.rnn.lstm_ref`, which JAX tests cuDNN
against, on the weights that JAX's own function unpacks.
"""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn

from experiments.language_modeling.build import build, rebuild
from experiments.language_modeling.config import Config
from rnnlab.cells import CELLS, LSTM
from rnnlab.data.tokenizers import Byte
from rnnlab.engines import ENGINES, Cudnn, Deferred, Scan, cudnn, here
from rnnlab.errors import InputError
from rnnlab.sequences import run

T, I, H = 5, 3, 4  # noqa: E741


def reference(
    x, h_0, c_0, weights, seq_lengths, input_size, hidden_size, num_layers, dropout,
    bidirectional, precision=None,
):  # fmt: skip
    """Does what `rnn.lstm` does, on any backend."""
    assert precision is None
    sizes = (input_size, hidden_size, num_layers)
    unpacked = rnn.unpack_lstm_weights(weights, *sizes, bidirectional)
    return rnn.lstm_ref(
        x, h_0, c_0, *unpacked, seq_lengths, *sizes, dropout, bidirectional
    )


def draw(batch, dtype="float32", sizes=(I, H)):
    """Returns params, carry and x, and the weights of a loss; no leaf is zero."""
    rng = np.random.default_rng(0)
    cell = LSTM(sizes[1])
    shapes = jax.eval_shape(
        lambda key: (
            (cell.init(key, sizes[0]), cell.initial(batch), jnp.zeros((T, *batch, I))),
            (cell.initial(batch), jnp.zeros((T, *batch, H))),
        ),
        jax.random.key(0),
    )
    return jax.tree.map(
        lambda s: jnp.asarray(rng.normal(size=s.shape) * 0.7, dtype), shapes
    )


def grads(engine, inputs, weights):
    """Returns the gradients of params, carry and x, and the outcome."""

    def loss(inputs):
        outcome = engine(LSTM(H), *inputs)
        return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, outcome, weights))), outcome

    return jax.grad(loss, has_aux=True)(inputs)


def equals_scan(batch):
    inputs, weights = draw(batch)
    wanted = jax.jit(functools.partial(grads, Scan()))(inputs, weights)
    actual = jax.jit(functools.partial(grads, Cudnn()))(inputs, weights)
    assert jax.tree.structure(actual) == jax.tree.structure(wanted)
    for a, w in zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True):
        assert a.dtype == w.dtype and np.abs(w).min() > 0
        np.testing.assert_allclose(a, w, rtol=5e-6, atol=5e-6)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_equals_scan_but_for_the_kernel(monkeypatch, batch):
    monkeypatch.setattr(cudnn, "available", lambda: True)
    monkeypatch.setattr(rnn, "lstm", reference)
    equals_scan(batch)


@pytest.mark.skipif(not cudnn.available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_equals_scan_on_a_gpu(batch):
    with jax.default_matmul_precision("highest"):
        equals_scan(batch)


def test_the_kernel_is_called_once_each_way(monkeypatch):
    """JAX's own function takes what it gets; only the size of scratch is made up."""
    monkeypatch.setattr(cudnn, "available", lambda: True)
    sizes = types.SimpleNamespace(
        compute_rnn_workspace_reserve_space_sizes=lambda *_: (0, 1)
    )
    monkeypatch.setattr(rnn, "gpu_rnn", sizes)
    inputs, weights = draw((2, 3))
    differentiate = functools.partial(grads, Cudnn())
    jaxpr, shapes = jax.make_jaxpr(differentiate, return_shape=True)(inputs, weights)
    for out, like in zip(
        jax.tree.leaves(shapes), jax.tree.leaves((inputs, weights)), strict=True
    ):
        assert (out.shape, out.dtype) == (like.shape, like.dtype)
    calls = {e.primitive.name: e for e in jaxpr.eqns if "rnn" in e.primitive.name}
    assert sorted(calls) == ["rnn_bwd", "rnn_fwd"]
    x, h, c, flat, lengths = (v.aval.shape for v in calls["rnn_fwd"].invars)
    count = rnn.get_num_params_in_lstm(I, H, 1, bidirectional=False)
    assert (x, h, c) == ((6, T, I), (1, 6, H), (1, 6, H))
    assert (flat, lengths) == ((count,), (6,))


@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (3, 2)])
def test_jax_unpacks_what_is_packed(sizes):
    (params, _, _), _ = draw((), sizes=sizes)
    w_ih, w_hh, b_ih, b_hh = rnn.unpack_lstm_weights(
        cudnn.pack(params), *sizes, num_layers=1, bidirectional=False
    )
    np.testing.assert_array_equal(w_ih[0].T, params["kernel"])
    np.testing.assert_array_equal(w_hh[0].T, params["recurrent"])
    np.testing.assert_array_equal(b_ih[0], params["bias"])
    np.testing.assert_array_equal(b_hh[0], np.zeros(4 * sizes[1]))


@pytest.mark.skipif(cudnn.available(), reason="there is an NVIDIA GPU")
def test_another_backend_is_named_while_tracing():
    inputs, weights = draw((3,))
    with pytest.raises(RuntimeError, match=r"NVIDIA GPU, got.*cpu; use Deferred\(\)"):
        jax.eval_shape(functools.partial(grads, Cudnn()), inputs, weights)


@pytest.mark.parametrize(
    ("platform", "version", "holds"),
    [
        ("gpu", "PJRT C API\ncuda 12080", True),
        ("gpu", "PJRT C API\nrocm 60400", False),
        ("cpu", "cpu", False),
        ("tpu", "TFRT TPU v4", False),
    ],
)
def test_only_nvidia_will_do(monkeypatch, platform, version, holds):
    client = types.SimpleNamespace(platform=platform, platform_version=version)
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    monkeypatch.setattr(cudnn.backend, "get_backend", lambda: client)
    assert cudnn.available() == holds


@pytest.mark.parametrize("name", sorted(set(CELLS) - {"lstm"}))
def test_other_cells_are_named(name):
    cell = CELLS[name](8)
    wanted = rf"an LSTM.*got {type(cell).__name__}\(.*use Deferred\(\)"
    with pytest.raises(TypeError, match=wanted):
        Cudnn()(cell, {}, cell.initial((3,)), jnp.zeros((T, 3, I)))


def test_lengths_are_refused():
    (params, carry, x), _ = draw((3,))
    with pytest.raises(TypeError, match=r"without lengths.*LSTM.*use Deferred\(\)"):
        run(Cudnn(), LSTM(H), params, carry, x, lengths=jnp.array([1, 2, 3]))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_dtypes_are_named(dtype):
    with jax.enable_x64(dtype == "float64"):
        inputs, _ = draw((3,), dtype)
        wanted = rf"in float32, got {dtype};.*Deferred\(\)"
        with pytest.raises(TypeError, match=wanted):
            Cudnn()(LSTM(H), *inputs)


@pytest.mark.parametrize("part", [0, 2])
def test_one_array_of_another_dtype_is_named(part):
    inputs, _ = draw((3,))
    with jax.enable_x64(True):
        mixed = list(inputs)
        mixed[part] = jax.tree.map(lambda a: a.astype(jnp.bfloat16), mixed[part])
        with pytest.raises(TypeError, match=r"float32, got bfloat16, float32;"):
            Cudnn()(LSTM(H), *mixed)


def test_what_does_not_fit_is_named():
    (params, carry, x), _ = draw((3,))
    with pytest.raises(ValueError, match=r"LSTM\(features=4.*\(5, 2, 3\).*\(3, 4\)"):
        Cudnn()(LSTM(H), params, carry, x[:, :2])


def test_a_run_without_the_gpu_ends_before_its_text_is_read(monkeypatch):
    monkeypatch.setattr(cudnn, "available", lambda: False)
    assert ENGINES.keys() - here().keys() == {"cudnn"}
    with pytest.raises(InputError, match=r"--engine=cudnn.*use --engine=auto"):
        build(Config(engine="cudnn", data="/nowhere.txt"))
    monkeypatch.setattr(cudnn, "available", lambda: True)
    assert here() == ENGINES
    with pytest.raises(InputError, match=r"/nowhere.txt"):
        build(Config(engine="cudnn", data="/nowhere.txt"))


def test_a_run_with_another_cell_is_refused():
    with pytest.raises(InputError, match=r"LSTM.*--cell=gru.*use --engine=scan"):
        Config(engine="cudnn", cell="gru")


def test_what_was_trained_with_it_is_used_without_a_gpu():
    record = {"tokenizer": Byte().to_json()}
    assert rebuild(Config(engine="cudnn"), record).model.stack.engine == Deferred()
