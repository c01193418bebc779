"""Cells equal torch's and flax's with copied weights, in values and gradients."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.cells import GRU, LSTM, Elman, LSTMCarry
from rnnlab.engines import Scan
from rnnlab.interop import flax

T, B, I, H = 7, 2, 3, 5  # noqa: E741
CASES = {
    "elman": Elman(H),
    "elman_relu": Elman(H, "relu"),
    "gru": GRU(H),
    "lstm": LSTM(H),
}
TOLERANCE = 5e-6  # float32, of sums over T steps


@functools.lru_cache
def case(name):
    """Returns params, carry, x and weights of the loss, as float32 NumPy arrays."""
    rng = np.random.default_rng(0)
    cell = CASES[name]
    shapes = jax.eval_shape(
        lambda key: (cell.init(key, I), cell.initial((B,)), jnp.zeros((T, B, I))),
        jax.random.key(0),
    )
    inputs = jax.tree.map(
        lambda s: (rng.normal(size=s.shape) * 0.5).astype(np.float32), shapes
    )
    weights = inputs[1], rng.normal(size=(T, B, H)).astype(np.float32)
    return inputs, weights


def weighed(outcome, weights):
    pairs = zip(jax.tree.leaves(outcome), jax.tree.leaves(weights), strict=True)
    return sum((a * w).sum() for a, w in pairs)


@functools.lru_cache
def ours(name):
    """Returns outcome and gradients of (params, carry, x)."""
    inputs, weights = case(name)

    @jax.jit
    def value_and_grads(inputs):
        def loss(inputs):
            outcome = Scan()(CASES[name], *inputs)
            return weighed(outcome, weights), outcome

        grads, outcome = jax.grad(loss, has_aux=True)(inputs)
        return outcome, grads

    return value_and_grads(inputs)


def close(actual, desired):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(a, d, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_torch(name):
    torch = pytest.importorskip("torch")
    (params, carry, x), weights = case(name)
    peer = {
        "elman": lambda: torch.nn.RNN(I, H),
        "elman_relu": lambda: torch.nn.RNN(I, H, nonlinearity="relu"),
        "gru": lambda: torch.nn.GRU(I, H),
        "lstm": lambda: torch.nn.LSTM(I, H),
    }[name]()
    with torch.no_grad():
        peer.weight_ih_l0.copy_(torch.tensor(params["kernel"].T))
        peer.weight_hh_l0.copy_(torch.tensor(params["recurrent"].T))
        peer.bias_ih_l0.copy_(torch.tensor(params["bias"]))
        peer.bias_hh_l0.zero_()
        if name == "gru":
            peer.bias_hh_l0[2 * H :] = torch.tensor(params["recurrent_bias"])

    def leaf(a):
        return torch.tensor(a, requires_grad=True)

    x_peer = leaf(x)
    carry_peer = jax.tree.map(leaf, carry)
    if name == "lstm":
        y, (h, c) = peer(
            x_peer, (carry_peer.h[None].contiguous(), carry_peer.c[None].contiguous())
        )
        after = LSTMCarry(c[0], h[0])
    else:
        y, h = peer(x_peer, carry_peer[None])
        after = h[0]
    loss = weighed((after, y), jax.tree.map(torch.tensor, weights))
    loss.backward()

    outcome, (d_params, d_carry, d_x) = ours(name)
    close(outcome, jax.tree.map(lambda a: a.detach().numpy(), (after, y)))
    close(d_x, x_peer.grad)
    close(d_carry, jax.tree.map(lambda a: a.grad.numpy(), carry_peer))
    close(d_params["kernel"], peer.weight_ih_l0.grad.T)
    close(d_params["recurrent"], peer.weight_hh_l0.grad.T)
    close(d_params["bias"], peer.bias_ih_l0.grad)
    if name == "gru":
        close(d_params["recurrent_bias"], peer.bias_hh_l0.grad[2 * H :])


FLAX = {
    "SimpleCell": ("elman", nn.SimpleCell(H), flax.to_linen_simple),
    "SimpleCell relu": ("elman_relu", nn.SimpleCell(H, nn.relu), flax.to_linen_simple),
    "LSTMCell": ("lstm", nn.LSTMCell(H), flax.to_linen_lstm),
    "OptimizedLSTMCell": ("lstm", nn.OptimizedLSTMCell(H), flax.to_linen_lstm),
    "GRUCell": ("gru", nn.GRUCell(H), flax.to_linen_gru),
}


@pytest.mark.parametrize("peer", FLAX)
def test_flax(peer):
    name, cell, rename = FLAX[peer]
    (params, carry, x), weights = case(name)
    layer = nn.RNN(cell, time_major=True, return_carry=True)

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def grads_and_outcome(inputs):
        params, carry, x = inputs
        variables = {"params": {"cell": params}}
        outcome = layer.apply(variables, x, initial_carry=carry)
        return weighed(outcome, weights), outcome

    renamed = rename(params)
    flax_carry = tuple(carry) if name == "lstm" else carry
    grads, outcome = grads_and_outcome((renamed, flax_carry, x))
    our_outcome, (d_params, *d_rest) = ours(name)
    close(our_outcome, outcome)
    close(d_rest, grads[1:])
    wanted = rename(jax.tree.map(np.asarray, d_params))
    assert jax.tree.structure(wanted) == jax.tree.structure(grads[0])
    close(wanted, grads[0])
