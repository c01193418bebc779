"""Layers both ways, joined layers, lengths and starts equal a composition by hand."""

import functools

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import H, I

from rnnlab.cells import GRU, LSTM, ConvLSTM, Elman
from rnnlab.engines import Deferred, Scan
from rnnlab.nn import Bidirectional, Recurrent, Stack
from rnnlab.sequences import run
from rnnlab.wrappers import learned_start, zoneout

T, B = 6, 4
X = np.random.default_rng(0).normal(size=(T, B, I)).astype(np.float32)
LENGTHS = jnp.array([6, 0, 3, 1])


def close(actual, desired, tolerance=1e-5):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


def drawn(module, *args, **kwargs):
    """Returns variables of the module's shapes in which no leaf is zero."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(
        functools.partial(module.init, **kwargs), jax.random.key(0), *args
    )
    return jax.tree.map(
        lambda s: 0.5 * rng.normal(size=s.shape).astype(np.float32), shapes
    )


def test_bidirectional_reads_each_row_from_its_last_step():
    module = Bidirectional(GRU(H), LSTM(2), Deferred())
    variables = drawn(module, None, X)
    apply = jax.jit(module.apply)
    (first, second), y = apply(variables, None, X, lengths=LENGTHS)
    params = variables["params"]
    forward, backward = (
        params[f"{way}_layer"]["cell"] for way in ("forward", "backward")
    )
    for b, length in enumerate(LENGTHS):
        wanted = np.zeros((T, H + 2))
        ahead, back = GRU(H).initial(()), LSTM(2).initial(())
        if length:
            x = X[:length, b]
            ahead, wanted[:length, :H] = Scan()(GRU(H), forward, ahead, x)
            back, reverse = Scan()(LSTM(2), backward, back, x[::-1])
            wanted[:length, H:] = reverse[::-1]
        close(y[:, b], wanted)
        row = jax.tree.map(lambda leaf, b=b: leaf[b], (first, second))
        close(row, (ahead, back))


def test_padding_reaches_no_gradient_of_both_ways():
    module = Bidirectional(GRU(H), GRU(H))
    variables = drawn(module, None, X)
    counts = np.arange(T)[:, None] < np.asarray(LENGTHS)

    @jax.jit
    @jax.grad
    def gradient(variables, x):
        _, y = module.apply(variables, None, x, lengths=LENGTHS)
        return jnp.sum(y**2)

    dirty = np.where(counts[..., None], X, np.nan)
    close(gradient(variables, dirty), gradient(variables, X), 0)


def layers_by_hand(params, connect):
    """Returns y of two layers of an Elman network, joined as the name says."""

    def layer(k, x):
        cell = Elman(H)
        return Scan()(cell, params[f"Recurrent_{k}"]["cell"], cell.initial((B,)), x)[1]

    first = layer(0, X)
    if connect == "skip":
        second = layer(1, jnp.concatenate([first, X], -1))
        return jnp.concatenate([first, second], -1)
    second = layer(1, first)
    if connect == "residual":
        return first + second
    if connect == "highway":
        gate = params["Highway_0"]["Dense_0"]
        t = jax.nn.sigmoid(first @ gate["kernel"] + gate["bias"])
        return t * second + (1 - t) * first
    return second


@pytest.mark.parametrize("connect", ["plain", "residual", "highway", "skip"])
def test_layers_are_joined(connect):
    stack = Stack((Elman(H), Elman(H)), connect=connect)
    variables = drawn(stack, None, X)
    _, y = jax.jit(stack.apply)(variables, None, X)
    close(y, layers_by_hand(variables["params"], connect))


def test_what_is_handed_past_a_layer_is_not_dropped():
    stack = Stack((Elman(H), Elman(H)), dropout=0.5, dropout_in=0.0, dropout_out=0.0,
                  connect="residual")  # fmt: skip
    params = dict(drawn(stack, None, X)["params"])
    first = Recurrent(Elman(H)).apply({"params": params["Recurrent_0"]}, None, X)[1]
    # A layer of zeros says tanh(0), whatever it is given.
    params["Recurrent_1"] = jax.tree.map(jnp.zeros_like, params["Recurrent_1"])
    rngs = {"dropout": jax.random.key(0)}
    _, y = stack.apply({"params": params}, None, X, train=True, rngs=rngs)
    close(y, first)


def test_a_highway_hands_on_at_first():
    stack = Stack((Elman(H), Elman(H)), connect="highway")
    variables = stack.init(jax.random.key(0), None, X)
    bias = variables["params"]["Highway_0"]["Dense_0"]["bias"]
    np.testing.assert_array_equal(bias, -1)


@pytest.mark.parametrize("connect", ["residual", "highway"])
def test_joined_layers_of_other_features_are_named(connect):
    stack = Stack((Elman(H), Elman(H + 1)), connect=connect)
    with pytest.raises(ValueError, match=rf"{connect}.*{H + 1} above one of {H}"):
        jax.eval_shape(stack.init, jax.random.key(0), None, X)


def test_an_unknown_connection_is_named():
    with pytest.raises(ValueError, match="plain, residual, highway, skip.*'dense'"):
        jax.eval_shape(Stack((), connect="dense").init, jax.random.key(0), (), X)


def test_a_stack_passes_lengths_and_resets_on():
    stack = Stack((Elman(H), GRU(2)), Deferred())
    variables = drawn(stack, None, X)
    reset = jnp.zeros((T, B), bool).at[2].set(True)
    marks = {"lengths": LENGTHS, "reset": reset}
    after, y = stack.apply(variables, None, X, **marks)
    wanted, below = [], X
    for k, cell in enumerate(stack.cells):
        params = variables["params"][f"Recurrent_{k}"]["cell"]
        last, below = run(Scan(), cell, params, cell.initial((B,)), below, **marks)
        wanted.append(last)
    close((after, y), (tuple(wanted), below))


def test_variational_dropout_has_one_mask_for_all_steps():
    ones = np.ones((20, 30, 10), np.float32)
    rngs = {"dropout": jax.random.key(0)}
    for variational in (True, False):
        stack = Stack((), dropout=0.3, variational=variational)
        _, y = stack.apply({}, (), ones, True, rngs=rngs)
        assert np.all(y == y[0]) == variational
        assert abs(np.mean(np.asarray(y[0]) == 0) - 0.3) < 0.15


def test_a_learned_start_is_where_no_carry_is_given():
    layer = Recurrent(learned_start(LSTM(H)))
    variables = drawn(layer, None, X)
    params = variables["params"]["cell"]
    carry = jax.tree.map(lambda leaf: jnp.tile(leaf, (B, 1)), params["start"])
    wanted = Scan()(LSTM(H), params["cell"], carry, X)
    close(layer.apply(variables, None, X), wanted)


def test_a_start_on_a_grid_has_the_batch_axes_of_x():
    x = np.zeros((2, B, 3, 4, 4, I), np.float32)
    layer = Recurrent(ConvLSTM(2, size=(4, 4)))
    carry, y = jax.eval_shape(layer.init_with_output, jax.random.key(0), None, x)[0]
    assert carry.c.shape == (B, 3, 4, 4, 2) and y.shape == (2, B, 3, 4, 4, 2)


def test_training_draws_by_the_dropout_key_and_evaluation_does_not():
    layer = Recurrent(zoneout(Elman(H), 0.5))
    variables = drawn(layer, None, X)

    def train(seed):
        rngs = {"dropout": jax.random.key(seed)}
        return layer.apply(variables, None, X, train=True, rngs=rngs)[1]

    np.testing.assert_array_equal(train(0), train(0))
    assert not np.array_equal(train(0), train(1))
    evaluated = layer.apply(variables, None, X)[1]
    params = variables["params"]["cell"]
    close(evaluated, run(Scan(), layer.cell, params, jnp.zeros((B, H)), X)[1])
    with pytest.raises(flax.errors.InvalidRngError, match="dropout"):
        layer.apply(variables, None, X, train=True)


def test_training_a_cell_that_drops_nothing_needs_no_key():
    layer = Recurrent(learned_start(Elman(H)))
    variables = drawn(layer, None, X)
    close(
        layer.apply(variables, None, X, train=True), layer.apply(variables, None, X), 0
    )
