"""The benchmark of peers: each side computes the same, and all are in the table."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from launch.measuring import machine
from launch.peers import load
from launch.suites import peers
from rnnlab.cells import CELLS
from rnnlab.engines import Scan
from rnnlab.interop import flax

for library in ("equinox", "haiku", "torch"):
    pytest.importorskip(library)
LIBRARIES = load("peers", "flax", "nnx", "haiku", "equinox", "torch")
SIDES = peers.beside(LIBRARIES)

T, B, H = 5, 3, 4
X, W = np.random.default_rng(0).standard_normal((2, T, B, H), np.float32)


@functools.lru_cache
def drawn(cell):
    """Returns rnnlab's parameters with all biases zero: some peers have two, or none.

    Whether a bias stands where it should is seen in its gradient.
    """
    params = CELLS[cell](H).init(jax.random.key(1), H)
    return {k: np.asarray(0 * p if "bias" in k else p) for k, p in params.items()}


def flax_lstm(p):
    return {"params": {"cell": flax.to_linen_lstm(p)}}


def flax_gru(p):
    return {"params": {"cell": flax.to_linen_gru(p)}}


def nnx_lstm(p):
    dense_h = {"kernel": p["recurrent"], "bias": p["bias"]}
    return {"dense_h": dense_h, "dense_i": {"kernel": p["kernel"]}}


def nnx_gru(p):
    """It has no bias inside the reset gate."""
    dense_i = {"kernel": p["kernel"], "bias": p["bias"]}
    return {"dense_h": {"kernel": p["recurrent"]}, "dense_i": dense_i}


def haiku_lstm(p):
    """Input above state, in the order i, g, f, o."""
    order = np.concatenate([np.arange(H) + k * H for k in (0, 2, 1, 3)])
    both = np.concatenate([p["kernel"], p["recurrent"]])
    return {"b": p["bias"][order], "w": both[:, order]}


def haiku_gru(p):
    """In the order z, r, n; z is what rnnlab's leaves of one."""
    order = np.concatenate([np.arange(H) + k * H for k in (1, 0, 2)])
    sign = np.repeat([-1, 1, 1], H)
    return {
        "b": p["bias"][order] * sign,
        "w_h": p["recurrent"][:, order] * sign,
        "w_i": p["kernel"][:, order] * sign,
    }


def equinox_lstm(p):
    return [p["kernel"].T, p["recurrent"].T, p["bias"]]


def equinox_gru(p):
    return [*equinox_lstm(p), p["recurrent_bias"]]


def torch_lstm(p):
    """Two biases, of which the second has the gradient of the first."""
    return {
        "bias_hh_l0": p["bias"],
        "bias_ih_l0": p["bias"],
        "weight_hh_l0": p["recurrent"].T,
        "weight_ih_l0": p["kernel"].T,
    }


def torch_gru(p):
    bias = np.concatenate([p["bias"][: 2 * H], p["recurrent_bias"]])
    return torch_lstm(p) | {"bias_hh_l0": bias}


# How a peer lays out rnnlab's parameters, or their gradients.
LAYOUTS = {
    ("rnnlab", "lstm"): lambda p: p,
    ("rnnlab", "gru"): lambda p: p,
    ("flax", "lstm"): flax_lstm,
    ("flax", "gru"): flax_gru,
    ("nnx", "lstm"): nnx_lstm,
    ("nnx", "gru"): nnx_gru,
    ("haiku", "lstm"): haiku_lstm,
    ("haiku", "gru"): haiku_gru,
    ("equinox", "lstm"): equinox_lstm,
    ("equinox", "gru"): equinox_gru,
    ("torch", "lstm"): torch_lstm,
    ("torch", "gru"): torch_gru,
}


@functools.lru_cache
def by_scan(name, forget):
    """Returns the loss and its gradients by rnnlab's parameters and x."""
    cell, params = CELLS[name](H), dict(drawn(name))
    if forget:
        params["bias"] = np.repeat(np.float32([0, forget, 0, 0]), H)

    @jax.jit
    @functools.partial(jax.value_and_grad, argnums=(0, 1))
    def gradients(params, x):
        return (Scan()(cell, params, cell.initial((B,)), x)[1] * W).sum()

    return gradients(params, X)


def fill(params, leaves):
    """Returns the peer's parameters with other values; torch's are changed in place."""
    own, structure = jax.tree.flatten(params)
    assert [leaf.shape for leaf in own] == [leaf.shape for leaf in leaves]
    if isinstance(own[0], jax.Array):
        return jax.tree.unflatten(structure, map(jnp.asarray, leaves))
    for leaf, new in zip(own, leaves, strict=True):
        leaf.data.copy_(LIBRARIES["torch"].torch.tensor(new))
    return params


def test_the_table_of_layouts_is_whole():
    assert {side for side, _ in LAYOUTS} == SIDES.keys()
    assert {cell for _, cell in LAYOUTS} == peers.GATES.keys()


@pytest.mark.parametrize(("side", "cell"), LAYOUTS)
def test_each_side_computes_what_rnnlab_does(side, cell):
    layout = LAYOUTS[side, cell]
    before = side == "haiku" and cell == "gru"  # its reset gate
    name = "gru_before" if before else cell
    # haiku adds one to the forget gate, whatever its parameters
    forget = 1.0 if side == "haiku" and cell == "lstm" else 0.0
    params, run = SIDES[side](cell, X, W)
    leaves = jax.tree.leaves(layout(drawn(name)))
    loss, (d_params, d_x) = run(fill(params, leaves))

    wanted, (d_wanted, d_x_wanted) = by_scan(name, forget)
    np.testing.assert_allclose(loss, wanted, rtol=1e-5, atol=1e-5)  # of 60 terms
    np.testing.assert_allclose(d_x, d_x_wanted, rtol=1e-5, atol=1e-6)
    d_leaves = jax.tree.leaves(layout(jax.tree.map(np.asarray, d_wanted)))
    for d, d_wanted in zip(jax.tree.leaves(d_params), d_leaves, strict=True):
        assert np.abs(d_wanted).max() > 1e-2
        np.testing.assert_allclose(d, d_wanted, rtol=1e-5, atol=5e-6)


def test_operations_are_those_of_the_products():
    one = peers.Shape(batch=2, steps=3, features=5)
    assert one.operations("lstm") == 3 * 2 * 2 * 3 * (5 + 5) * 4 * 5
    assert one.operations("gru") == 3 * 2 * 2 * 3 * (5 + 5) * 3 * 5


def test_table_has_a_row_for_each_cell_shape_and_side(monkeypatch):
    monkeypatch.setattr(peers, "SECONDS", 1e-4)
    monkeypatch.setattr(machine, "product", lambda: lambda: None)
    monkeypatch.setattr(machine, "copy", lambda: lambda: None)
    monkeypatch.setattr(LIBRARIES["torch"], "product", lambda: lambda: None)
    shape = peers.Shape(batch=B, steps=T, features=H)
    rows = peers.measure(2, [shape]).table.splitlines()[-12:]
    cells = [row.split(" | ") for row in rows]
    assert [(row[2], row[0].removeprefix("| ")) for row in cells] == list(
        sorted(LAYOUTS, key=lambda key: (key[1] == "gru", list(SIDES).index(key[0])))
    )
    assert {row[1] for row in cells} == {"3, 5, 4"}
    assert [row[5] for row in cells if row[2] == "rnnlab"] == ["1.00", "1.00"]


def test_what_is_compared_with_a_revision_is_rnnlabs_own(monkeypatch):
    monkeypatch.setattr(peers, "SHAPES", [peers.Shape(2, 3, 4)])
    sides = peers.sides()
    assert list(sides) == ["lstm 2, 3, 4", "gru 2, 3, 4"]
    loss, (params, x) = sides["gru 2, 3, 4"]()()
    assert x.shape == (3, 2, 4) and params["recurrent"].shape == (4, 12)
