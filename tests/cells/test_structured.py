"""What the papers of cells of several parts claim, and what such cells refuse."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from one_cell import near
from sizes import H, I

from rnnlab.cells import neural_stack, stack_rnn, tape
from rnnlab.cells.fast_slow import FastSlowCarry, FastSlowLSTM
from rnnlab.cells.hm_lstm import HMLSTM, HMLSTMCarry
from rnnlab.cells.lstm import LSTM
from rnnlab.cells.lstmn import LSTMN
from rnnlab.cells.mogrifier import MogrifierLSTM
from rnnlab.cells.neural_stack import NeuralStack
from rnnlab.cells.stack_rnn import StackRNN
from rnnlab.cells.tape import TapeRNN
from rnnlab.engines import Scan

B = 2


def same(actual, desired):
    jax.tree.map(np.testing.assert_array_equal, actual, desired)


def drawn(cell, seed=0):
    """Returns params, a carry and an input, all normal."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(
        lambda key: (cell.init(key, I), cell.initial((B,)), jnp.zeros((B, I))),
        jax.random.key(0),
    )
    return jax.tree.map(
        lambda s: jnp.asarray(rng.normal(size=s.shape), jnp.float32), shapes
    )


def step(cell, params, carry, x):
    return cell.step(params, carry, cell.project(params, x))


stepped = jax.jit(step, static_argnums=0)


@pytest.mark.parametrize("rounds", [1, 5])
def test_mogrifier_that_gates_by_one_is_an_lstm(rounds):
    cell = MogrifierLSTM(H, rounds=rounds)
    params, carry, x = drawn(cell)
    assert params["q"].shape == ((rounds + 1) // 2, H, I)
    assert [params[k].shape for k in params if k == "r"] == [(2, I, H)] * (rounds > 1)
    idle = params | {k: 0 * params[k] for k in ("q", "r") if k in params}
    same(step(cell, idle, carry, x), step(LSTM(H), params, carry, x))


def test_mogrifier_of_one_round_gates_the_input_alone():
    cell = MogrifierLSTM(H, rounds=1)
    params, carry, x = drawn(cell)
    gated = 2 * jax.nn.sigmoid(carry.h @ params["q"][0]) * x
    near(step(cell, params, carry, x), step(LSTM(H), params, carry, gated))


def test_mogrifier_of_a_low_rank_gates_by_products():
    low, full = MogrifierLSTM(H, rounds=5, rank=2), MogrifierLSTM(H, rounds=5)
    params, carry, x = drawn(low)
    assert params["q"].shape == (3, H, 2) and params["q_out"].shape == (3, 2, I)
    assert params["r"].shape == (2, I, 2) and params["r_out"].shape == (2, 2, H)
    whole = params | {k: params[k] @ params[f"{k}_out"] for k in ("q", "r")}
    near(step(low, params, carry, x), step(full, whole, carry, x))


def test_fast_slow_is_made_of_lstms():
    cell = FastSlowLSTM(H, fast=4, slow_features=4)
    params, carry, x = drawn(cell)
    fast, slow = LSTM(H), LSTM(4)
    one, two, *rest = params["fast"]
    assert [sorted(p) for p in rest] == [["bias", "recurrent"]] * 2
    assert two["kernel"].shape == (4, 4 * H)
    state, h = step(fast, one, carry.fast, x)
    slow_state, s = step(slow, params["slow"], carry.slow, h)
    state, _ = step(fast, two, state, s)
    nothing = jnp.zeros((B, 1))
    for p in rest:
        state, h = step(fast, p | {"kernel": jnp.ones((1, 4 * H))}, state, nothing)
    near(step(cell, params, carry, x), (FastSlowCarry(state, slow_state), h))


def hm_lstm(boundary, layers=3):
    """Returns an HMLSTM with a carry, all of whose detectors say `boundary`."""
    cell = HMLSTM(H, layers=layers)
    params, carry, x = drawn(cell)
    for layer in params["layers"][:-1]:
        layer["bias"] = layer["bias"].at[-1].set(1e3 if boundary else -1e3)
    return cell, params, carry._replace(z=jnp.zeros((B, layers - 1))), x


def test_hm_lstm_copies_where_nothing_ended():
    cell, params, carry, x = hm_lstm(boundary=False)
    after, _ = stepped(cell, params, carry, x)
    same(after.z, carry.z)
    for old, new in ((carry.c, after.c), (carry.h, after.h)):
        same(new[:, 1:], old[:, 1:])
        assert np.abs(new[:, 0] - old[:, 0]).min() > 1e-4  # the first layer updates


def test_hm_lstm_updates_where_the_layer_below_ended():
    cell, params, carry, x = hm_lstm(boundary=True)
    after, _ = stepped(cell, params, carry, x)
    same(after.z, jnp.ones((B, 2)))
    below = x
    for i, own in enumerate(params["layers"]):
        plain = {name: own[name][..., : 4 * H] for name in own}
        state = LSTM(H).initial((B,))._replace(c=carry.c[:, i], h=carry.h[:, i])
        wanted, below = step(LSTM(H), plain, state, below)
        near((after.c[:, i], after.h[:, i]), tuple(wanted))


def test_hm_lstm_flushes_what_it_handed_on():
    cell, params, carry, x = hm_lstm(boundary=True, layers=2)
    ended = carry._replace(z=jnp.ones((B, 1)))
    moved = ended._replace(c=carry.c.at[:, 0].add(1))  # the first layer's memory
    same(stepped(cell, params, ended, x), stepped(cell, params, moved, x))
    moved = ended._replace(h=carry.h.at[:, 1].add(1))  # it is told what the next knows
    new, old = (stepped(cell, params, c, x)[0].c[:, 0] for c in (ended, moved))
    assert np.abs(new - old).max() > 1e-3


def test_hm_lstm_gradient_is_straight_through():
    """The gradient by the bias of a boundary z: of the state by z, times slope / 2."""
    cell = HMLSTM(H, slope=0.5)
    params, carry, x = drawn(cell)
    one, two = params["layers"]
    own = {name: leaf.at[..., -1].set(0) for name, leaf in one.items()}
    top = np.float64(carry.h[:, 1])

    def loss(bias):
        layers = [own | {"bias": own["bias"].at[-1].set(bias)}, two]
        start = HMLSTMCarry(carry.c, carry.h, jnp.zeros((B, 1)))
        return step(cell, params | {"layers": layers}, start, x)[0].h[:, 1].sum()

    after, _ = step(
        LSTM(H),
        {k: own[k][..., :-1] for k in own},
        LSTM(H).initial((B,))._replace(c=carry.c[:, 0], h=carry.h[:, 0]),
        x,
    )

    two, h, c_top = jax.tree.map(np.float64, (two, after.h, carry.c[:, 1]))

    def second_layer(z):  # as if a boundary could be any number
        a = z * (h @ two["kernel"])
        i, f, g, o = np.split(a + top @ two["recurrent"] + two["bias"], 4, -1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = z * (f * c_top + i * np.tanh(g)) + (1 - z) * c_top
        return (z * o * np.tanh(c) + (1 - z) * top).sum()

    value_and_slope = jax.jit(jax.value_and_grad(loss))
    for bias, z in ((0.5, 1.0), (-0.5, 0.0)):
        value, slope = value_and_slope(bias)
        near(value, second_layer(z), 1e-5)
        by_z = (second_layer(z + 1e-6) - second_layer(z - 1e-6)) / 2e-6
        near(slope, by_z * 0.5 / 2, 1e-4)
    for bias in (5.0, -5.0):  # where the hard sigmoid is flat
        assert value_and_slope(bias)[1] == 0


def test_hard_actions_make_a_list_of_each_stack_of_scalars():
    rng = np.random.default_rng(0)
    s, wanted = jnp.zeros((2, 4)), [[], []]
    for _ in range(12):
        chosen, value = rng.integers(3, size=2), rng.normal(size=2).astype(np.float32)
        s = stack_rnn.moved(s, jnp.eye(3)[chosen], jnp.asarray(value))
        for k in range(2):
            if chosen[k] == 0:
                wanted[k] = [value[k], *wanted[k]][:4]
            elif chosen[k] == 1:
                wanted[k] = wanted[k][1:]
        same(s, np.array([(row + [0] * 4)[:4] for row in wanted], np.float32))


def test_hard_strengths_make_a_list_of_the_neural_stack():
    """Over what its slots hold: each step takes one, pushed or not."""
    rng = np.random.default_rng(1)
    values, strengths = jnp.zeros((12, H)), jnp.zeros(12)
    wanted, most = [], 0
    for push, pop in [(1, 0), (1, 0), (0, 0), (1, 0), (0, 1), (1, 1), (0, 1), (0, 1),
                      (0, 1), (1, 0)]:  # fmt: skip
        vector = rng.normal(size=H).astype(np.float32)
        hard = jnp.array([push], jnp.float32), jnp.array([pop], jnp.float32)
        values, strengths = neural_stack.moved(values, strengths, *hard, vector)
        wanted = wanted[: len(wanted) - pop] + [vector] * push
        top = wanted[-1] if wanted else np.zeros(H, np.float32)
        same(neural_stack.read(values, strengths), top)
        same(values[strengths == 1], np.reshape(wanted[::-1], (-1, H)))
        most = max(most, len(wanted))
    assert most == 3 and len(wanted) == 1


def test_neural_stack_pops_and_reads_by_degrees():
    """The example of the paper's figure 1, its three steps."""
    v = np.eye(3, H, dtype=np.float32)
    values, s = jnp.zeros((4, H)), jnp.zeros(4)
    for vector, push, pop, strengths, read in [
        (v[0], 0.8, 0.0, [0.8], [0.8, 0, 0]),
        (v[1], 0.5, 0.1, [0.5, 0.7], [0.5, 0.5, 0]),
        (v[2], 0.9, 0.9, [0.9, 0, 0.3], [0.1, 0, 0.9]),
    ]:
        hard = jnp.array([push], jnp.float32), jnp.array([pop], jnp.float32)
        values, s = neural_stack.moved(values, s, *hard, vector)
        near(s[: len(strengths)], np.float32(strengths))
        near(neural_stack.read(values, s), np.float32(read) @ v)


def test_neural_stack_loses_the_oldest():
    values, s = jnp.zeros((2, 1)), jnp.zeros(2)
    for value in (1.0, 2.0, 3.0):
        one, none = jnp.ones(1), jnp.zeros(1)
        values, s = neural_stack.moved(values, s, one, none, jnp.array([value]))
    same((values[:, 0], s), (jnp.array([3.0, 2.0]), jnp.ones(2)))


@pytest.mark.parametrize(("shift", "slot"), [(0, 4), (1, 0), (2, 1)])
def test_hard_shift_moves_the_head_by_one_round_the_tape(shift, slot):
    moved = tape.moved(jnp.eye(5)[0], jnp.eye(3)[shift], jnp.ones(1))
    near(moved, np.eye(5)[slot], 1e-5)


def test_a_weight_that_rounding_makes_negative_moves_as_none():
    weight, stay = jnp.array([-0.004, 0.4, 0.604]), jnp.array([0.0, 1.0, 0.0])
    near(tape.moved(weight, stay, jnp.ones(1)), weight.clip(0) / 1.004, 1e-5, 1e-5)
    cell = TapeRNN(4, slots=16)
    params = jax.tree.map(jnp.zeros_like, cell.init(jax.random.key(0), 2))
    scalars = jnp.array([-1.0, 1.0, 3.0, 0.0, -4.0, -1.0])
    bias = params["control_bias"].at[-6:].set(scalars)
    params = jax.tree.map(jnp.bfloat16, params | {"control_bias": bias})
    carry, x = cell.initial((1,), jnp.bfloat16), jnp.zeros((40, 1, 2), jnp.bfloat16)
    last, _ = jax.jit(functools.partial(Scan(), cell))(params, carry, x)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(last))


def test_sharpening_gathers_what_a_shift_blurred():
    blurred = jnp.array([0.1, 0.6, 0.3])
    stay = jnp.array([0.0, 1.0, 0.0])
    near(tape.moved(blurred, stay, jnp.ones(1)), blurred, 1e-5)
    squared = blurred**2 / (blurred**2).sum()
    near(tape.moved(blurred, stay, jnp.full(1, 2.0)), squared, 1e-5)


def test_tape_head_begins_on_the_first_slot_and_moves_as_it_is_told():
    """Gate shut, shift on, erase and add at their ends: a slot a step is written."""
    cell = TapeRNN(H, slots=3)
    params = jax.tree.map(jnp.zeros_like, drawn(cell)[0])
    at = {"add": slice(2 * H, 3 * H), "on": 3 * H + 2, "gate": 3 * H + 4, "gamma": -1}
    told = {"add": 99.0, "on": 99.0, "gate": -99.0, "gamma": 9.0}
    for name, value in told.items():
        params["control_bias"] = params["control_bias"].at[at[name]].set(value)
    carry, x = cell.initial(()), jnp.ones(I)
    for slot in (1, 2, 0):
        before = carry.tape
        carry, _ = stepped(cell, params, carry, x)
        near(carry.weight, np.eye(3)[slot], 1e-5)
        near(carry.tape, before + np.eye(3)[:, [slot]], 1e-5)
        near(carry.r, np.zeros(H), 1e-5)  # nothing was written there before


def test_lstmn_with_one_state_attends_to_it_alone():
    cell = LSTMN(H, span=4)
    params, carry, x = drawn(cell)
    for slot in (0, 2):
        one = carry._replace(filled=jnp.zeros((B, 4)).at[:, slot].set(1))
        state = LSTM(H).initial((B,))._replace(c=one.c[:, slot], h=one.h[:, slot])
        after, y = stepped(cell, params, one, x)
        near(after.attended, state.h)
        near(y, step(LSTM(H), params, state, x)[1])
        near(after.h[:, 0], y)
        same(after.h[:, 1:], one.h[:, :-1])
        same(after.filled[:, 1:], one.filled[:, :-1])


def test_lstmn_with_no_state_begins_as_an_lstm_does():
    cell = LSTMN(H)
    params, _, x = drawn(cell)
    start = LSTM(H).initial((B,))
    y = step(LSTM(H), params, start, x)[1]
    near(step(cell, params, cell.initial((B,)), x)[1], y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MogrifierLSTM(H, rounds=0), "rounds to be a positive int, got 0"),
        (lambda: FastSlowLSTM(H, fast=1), "at least 2 fast cells.*got fast=1"),
        (lambda: FastSlowLSTM(H, slow_features=0), "slow_features .* got 0"),
        (lambda: HMLSTM(H, layers=1), "at least 2 layers, got 1.*LSTM"),
        (lambda: HMLSTM(H, slope=0.0), "slope to be a number above 0, got 0.0"),
        (lambda: StackRNN(H, depth=1), "depth of at least 2.*got 1"),
        (lambda: StackRNN(H, stacks=0), "stacks to be a positive int, got 0"),
        (lambda: NeuralStack(H, depth=0), "depth to be a positive int, got 0"),
        (lambda: TapeRNN(H, slots=0), "slots to be a positive int, got 0"),
        (lambda: LSTMN(H, span=0), "span to be a positive int, got 0"),
        (lambda: LSTMN(0), "features to be a positive int, got 0"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()
