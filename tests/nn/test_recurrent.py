"""Layers equal a composition by hand, flax's own stack, and the nnx adapter."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CELLS, GRID_CELLS, make, shape_of_x
from flax import nnx

from rnnlab.cells import GRU, LSTM, Elman
from rnnlab.engines import Deferred, Scan
from rnnlab.nn import Recurrent, Stack
from rnnlab.nn.nnx import Recurrent as NnxRecurrent

T, B, I, H = 7, 2, 3, 5  # noqa: E741
X = np.random.default_rng(0).normal(size=(T, B, I)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(T, B, H)).astype(np.float32)


def close(actual, desired, tolerance=5e-6):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


@functools.lru_cache
def draw(module):
    """Returns variables as a module makes them, all drawn: biases too are not zero."""
    rng = np.random.default_rng(2)
    initial = module.cell.initial if isinstance(module, Recurrent) else module.initial
    shapes = jax.eval_shape(module.init, jax.random.key(0), initial((B,)), X)
    return jax.tree.map(
        lambda s: 0.5 * rng.normal(size=s.shape).astype(np.float32), shapes
    )


@functools.partial(jax.jit, static_argnums=0)
def train(module, variables, carries, seed):
    rngs = {"dropout": jax.random.key(seed)}
    return module.apply(variables, carries, X, True, rngs=rngs)


def test_recurrent_is_an_engine_on_a_cell():
    cell, carry = LSTM(H), LSTM(H).initial((B,))
    layer = Recurrent(cell, Deferred())
    variables = draw(layer)
    assert variables["params"].keys() == {"cell"}
    params = variables["params"]["cell"]
    assert jax.tree.map(jnp.shape, params) == {
        "kernel": (I, 4 * H), "recurrent": (H, 4 * H), "bias": (4 * H,)
    }  # fmt: skip
    wanted = jax.jit(functools.partial(Scan(), cell))(params, carry, X)
    close(jax.jit(layer.apply)(variables, carry, X), wanted)


@pytest.mark.parametrize("name", sorted(CELLS | GRID_CELLS))
def test_none_is_the_start_of_any_cell_for_the_rows_of_x(name):
    cell, layer = make(name), Recurrent(make(name))
    x = jnp.zeros(shape_of_x(name, 3, (B,)))

    def both(key):
        variables = layer.init(key, cell.initial((B,)), x)
        start = cell.start(variables["params"]["cell"], (B,))
        return layer.apply(variables, None, x), layer.apply(variables, start, x)

    found, wanted = jax.jit(both)(jax.random.key(0))
    close(found, wanted)


def test_stack_is_one_layer_after_the_other():
    stack = Stack((LSTM(H), GRU(4), Elman(H)))
    carries = stack.initial((B,))
    params = draw(stack)["params"]
    assert sorted(params) == ["Recurrent_0", "Recurrent_1", "Recurrent_2"]
    y, wanted = X, []
    for k, cell in enumerate(stack.cells):
        after, y = Scan()(cell, params[f"Recurrent_{k}"]["cell"], carries[k], y)
        wanted.append(after)
    close(jax.jit(stack.apply)({"params": params}, carries, X), (tuple(wanted), y))


def test_a_stack_needs_a_carry_for_each_layer():
    stack = Stack((Elman(H), Elman(H)))
    with pytest.raises(ValueError, match="shorter"):
        jax.eval_shape(stack.init, jax.random.key(0), (Elman(H).initial((B,)),), X)


def test_two_layers_equal_flax():
    stack = Stack((LSTM(H), LSTM(H)), Deferred())
    carries = stack.initial((B,))
    params = draw(stack)["params"]

    def rename(params):
        layers = []
        for k in range(2):
            p = params[f"Recurrent_{k}"]["cell"]
            parts = {name: jnp.split(leaf, 4, -1) for name, leaf in p.items()}
            layers.append({"cell": {
                f"i{g}": {"kernel": parts["kernel"][j]} for j, g in enumerate("ifgo")
            } | {
                f"h{g}": {"kernel": parts["recurrent"][j], "bias": parts["bias"][j]}
                for j, g in enumerate("ifgo")
            }})  # fmt: skip
        return layers

    layer = nn.RNN(nn.OptimizedLSTMCell(H), time_major=True, return_carry=True)

    def ours(params):
        after, y = stack.apply({"params": params}, carries, X)
        return jnp.sum(y * WEIGHTS), (tuple(map(tuple, after)), y)

    def flax(layers):
        y, after = X, []
        for p in layers:
            carry, y = layer.apply({"params": p}, y)
            after.append(carry)
        return jnp.sum(y * WEIGHTS), (tuple(after), y)

    grads, outcome = jax.jit(jax.grad(ours, has_aux=True))(params)
    flax_grads, flax_outcome = jax.jit(jax.grad(flax, has_aux=True))(rename(params))
    close(outcome, flax_outcome)
    close(rename(grads), flax_grads)


DROPPING = Stack((Elman(H), Elman(H)), dropout=0.5)


def test_dropout_is_off_outside_training():
    plain = Stack((Elman(H), Elman(H)))
    carries, variables = plain.initial((B,)), draw(plain)
    actual, wanted = (
        jax.jit(stack.apply)(variables, carries, X) for stack in (DROPPING, plain)
    )
    close(actual, wanted, 0)


def test_dropout_differs_by_key_and_repeats_by_key():
    inputs = DROPPING, draw(DROPPING), DROPPING.initial((B,))
    _, y = train(*inputs, 0)
    np.testing.assert_array_equal(train(*inputs, 0)[1], y)
    assert not np.array_equal(train(*inputs, 1)[1], y)
    share = np.mean([train(*inputs, seed)[1] == 0 for seed in range(20)])
    assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(20 * T * B * H)


def test_dropout_never_touches_the_carry():
    after, y = train(DROPPING, draw(DROPPING), DROPPING.initial((B,)), 0)
    shown = np.asarray(y[-1])
    assert 0 < np.sum(shown == 0) < shown.size and np.all(after[1] != 0)
    close(np.where(shown != 0, shown / 2, after[1]), after[1], 1e-6)


def test_dropout_keeps_the_expectation():
    stack, keep, ones = Stack((), dropout=0.3), 0.7, np.ones((50, 20, 10), np.float32)
    apply = jax.jit(functools.partial(stack.apply, {}, (), train=True))
    _, y = apply(x=ones, rngs={"dropout": jax.random.key(0)})
    np.testing.assert_allclose(np.unique(y), [0, 1 / keep], rtol=1e-6)
    assert abs(np.mean(y) - 1) < 5 * np.sqrt((1 - keep) / keep / y.size)


@pytest.mark.parametrize("engine", [Scan(), Deferred()])
def test_nnx_equals_linen(engine):
    cell, carry = Elman(H), Elman(H).initial((B,))
    module = NnxRecurrent(cell, I, rngs=nnx.Rngs(0), engine=engine)
    params = jax.tree.map(jnp.asarray, nnx.to_pure_dict(nnx.state(module))["params"])
    assert jax.tree.map(jnp.shape, params) == {
        "kernel": (I, H), "recurrent": (H, H), "bias": (H,)
    }  # fmt: skip

    @nnx.jit
    def nnx_grad(module):
        def loss(module):
            after, y = module(carry, X)
            return jnp.sum(y * WEIGHTS) + jnp.sum(after)

        return nnx.value_and_grad(loss)(module)

    @jax.jit
    @jax.value_and_grad
    def linen_grad(params):
        variables = {"params": {"cell": params}}
        after, y = Recurrent(cell, engine).apply(variables, carry, X)
        return jnp.sum(y * WEIGHTS) + jnp.sum(after)

    (value, grads), (wanted, wanted_grads) = nnx_grad(module), linen_grad(params)
    close(value, wanted)
    close(nnx.to_pure_dict(grads)["params"], wanted_grads)
