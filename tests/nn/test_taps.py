"""Taps in a module change nothing, and show the gradient by each layer's carry."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.cells import GRU, LRU, LSTM, LSTMCarry
from rnnlab.engines import Deferred, Scan
from rnnlab.nn import Bidirectional, LanguageModel, Recurrent, Softmax, Stack, taps
from rnnlab.nn.layers import layers
from rnnlab.probes import gradients

T, B, H, V = 4, 2, 5, 7
TOKENS = np.random.default_rng(0).integers(0, V, (T, B))
X = np.random.default_rng(1).normal(size=(T, B, 3)).astype(np.float32)
MODEL = LanguageModel(3, Stack((LSTM(H), GRU(4), LRU(3)), Scan(), 0.3), Softmax(V))


def close(actual, desired, tolerance=1e-5):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


@functools.cache
def variables():
    return MODEL.init(jax.random.key(0), MODEL.initial((B,)), TOKENS)


def loss(outcome):
    return outcome[1][-1].sum()


def test_a_module_is_as_it_was_without_taps_and_with_zeros():
    assert variables().keys() == {"params"}
    call = MODEL.initial((B,)), TOKENS
    found = taps.zeros(MODEL, variables(), *call)
    with_taps = variables() | {"taps": taps.collection(found)}
    wanted = MODEL.apply(variables(), *call)
    close(MODEL.apply(with_taps, *call), wanted, 0)
    shapes = [leaf.shape for leaf in jax.tree.leaves(found)]
    assert shapes == [(T, B, H), (T, B, H), (T, B, 4), (T, B, 3)]


def test_each_layer_has_the_gradient_of_what_remains():
    """Begun at step t with other carries: d loss / d carries is what a tap shows."""
    call = MODEL.initial((B,)), TOKENS, TOKENS
    found = jax.jit(lambda v: taps.by_carry(loss, MODEL, v, *call, method="loss"))(
        variables()
    )
    assert [*found] == [f"stack/Recurrent_{k}" for k in range(3)]

    @functools.partial(jax.jit, static_argnums=1)
    def of_carries(carries, t):
        def remains(carries):
            rest = TOKENS[t:]
            return loss(MODEL.apply(variables(), carries, rest, rest, method="loss"))

        return jax.grad(remains)(carries)

    for t in range(T):
        carries = MODEL.initial((B,))
        if t:
            carries, _ = MODEL.apply(variables(), carries, TOKENS[:t])
        wanted = of_carries(carries, t)
        close([jax.tree.map(lambda a, t=t: a[t], c) for c in found.values()], wanted)
    assert gradients.by_lag(found["stack/Recurrent_0"]).shape == (T, B)


def test_layers_are_what_probes_take():
    found = layers(MODEL, variables(), None, TOKENS)
    y = None
    for layer, cell in zip(found.values(), MODEL.stack.cells, strict=True):
        assert layer.cell == cell
        if y is not None:
            close(layer.x, y)
        _, y = Scan()(*layer)


def test_masks_of_dropout_are_those_of_the_key():
    call = MODEL.initial((B,)), TOKENS, TOKENS

    def norm(seed):
        given = {"method": "objective", "rngs": {"dropout": jax.random.key(seed)}}
        found = taps.by_carry(loss, MODEL, variables(), *call, **given)
        return float(gradients.by_lag(found["stack/Recurrent_0"])[0, 0])

    assert norm(0) == norm(0) != norm(1)


@pytest.mark.parametrize("engine", [Scan(), Deferred()])
def test_modules_of_every_kind_have_layers(engine):
    lengths = jnp.array([2, 4])
    cell = LSTM(H)
    for module, names in (
        (Recurrent(cell, engine), [""]),
        (
            Stack((cell, cell), engine, connect="residual"),
            ["Recurrent_0", "Recurrent_1"],
        ),
        (Bidirectional(cell, cell, engine), ["forward_layer", "backward_layer"]),
    ):
        drawn = module.init(jax.random.key(0), None, X)
        found = taps.by_carry(
            lambda outcome: outcome[1].sum(), module, drawn, None, X, lengths=lengths
        )
        assert sorted(found) == sorted(names)
        for carry in found.values():
            assert isinstance(carry, LSTMCarry) and carry.c.shape == (T, B, H)
            np.testing.assert_array_equal(carry.h[2:, 0], 0)  # past the row's length
            assert np.abs(carry.h[1]).min() > 0


def test_a_module_without_layers_is_named():
    import flax.linen as nn

    with pytest.raises(ValueError, match="Recurrent inside, got Dense"):
        taps.zeros(
            nn.Dense(3), {"params": {"kernel": X[0].T @ X[0], "bias": X[0, 0]}}, X
        )
