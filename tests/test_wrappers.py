"""Wrappers: each equals its definition, a step at a time, and costs no engine."""

import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NAMES, H, I, cast, close, draw, grads, make

from rnnlab.cell import LinearCell, SplitCell
from rnnlab.cells import (
    GRU,
    LRU,
    LSTM,
    RHN,
    SLSTM,
    ClockworkRNN,
    ConvLSTM,
    Elman,
    LSTMCarry,
    MinGRU,
    MogrifierLSTM,
)
from rnnlab.engines import Associative, Deferred, Scan
from rnnlab.sequences import run
from rnnlab.wrappers import (
    learned_start,
    masked,
    mixed,
    recurrent_dropout,
    state_dropout,
    with_noise,
    zoneout,
)

T, B = 6, 4
STEPS = 3  # of what is laid out step by step, to compile less
KEY = jax.random.key(0)
ENGINES = {
    "conv_lstm": Deferred(),
    "gru": Deferred(),
    "lru": Associative(),
    "lstm": Deferred(),
    "mingru": Associative(),
    "rhn": Scan(),
}
WRAPPERS = {
    "learned_start": learned_start,
    "masked": masked,
    "mixed": mixed,
    "recurrent_dropout": functools.partial(recurrent_dropout, rates=0.3),
    "state_dropout": functools.partial(state_dropout, rates=0.3),
    "zoneout": functools.partial(zoneout, rates=0.3),
}


def leaves_of(marks, t):
    return [None if mark is None else mark[t] for mark in marks]


def change(carry, leaves, how):
    """Returns the carry with each leaf changed by its mark."""
    old, structure = jax.tree.flatten(carry)
    new = [a if m is None else how(a, m) for a, m in zip(old, leaves, strict=True)]
    return jax.tree.unflatten(structure, new)


def dropped(a, kept):
    return jnp.where(kept, a / 0.7, 0)


def by_state_dropout(cell, params, carry, u, leaves):
    return cell.step(params, change(carry, leaves, dropped), u)


def by_recurrent_dropout(cell, params, carry, u, leaves):
    r = cell.recur(params, change(carry, leaves, dropped))
    return cell.update(params, carry, u, r)


def by_zoneout(cell, params, carry, u, leaves):
    after, y = cell.step(params, carry, u)
    old, (new, structure) = jax.tree.leaves(carry), jax.tree.flatten(after)
    kept = [jnp.where(m, n, o) for m, n, o in zip(leaves, new, old, strict=True)]
    after = jax.tree.unflatten(structure, kept)
    if isinstance(cell, LinearCell):
        return after, cell.readout(params, after, u)
    return after, after.h if isinstance(after, LSTMCarry) else after


DEFINITIONS = {
    "recurrent_dropout": by_recurrent_dropout,
    "state_dropout": by_state_dropout,
    "zoneout": by_zoneout,
}
PAIRS = [
    (wrapper, name)
    for wrapper in DEFINITIONS
    for name in ENGINES
    if wrapper != "recurrent_dropout" or isinstance(make(name), SplitCell)
]


@pytest.mark.parametrize(("wrapper", "name"), PAIRS)
def test_equals_its_definition_step_by_step(wrapper, name):
    cell = make(name)
    wrapped = WRAPPERS[wrapper](cell)

    def by_hand(params, carry, x):
        marks, outputs = with_noise(wrapped, KEY, carry, x, STEPS).marks, []
        for t in range(STEPS):
            carry, y = DEFINITIONS[wrapper](
                cell, params, carry, cell.project(params, x[t]), leaves_of(marks, t)
            )
            outputs.append(y)
        return carry, jnp.stack(outputs)

    with jax.enable_x64(True):
        inputs, weights = cast(draw(name, STEPS, (B,)), "float64")
        on_engine = functools.partial(run, ENGINES[name], wrapped, key=KEY)
        actual, wanted = (
            jax.jit(functools.partial(grads, runs))(inputs, weights)
            for runs in (on_engine, by_hand)
        )
        close(actual, wanted, 1e-10)
        plain = jax.jit(functools.partial(run, ENGINES[name], cell))(*inputs)
    assert not np.allclose(plain[1], actual[1][1])


@pytest.mark.parametrize("name", ["lstm", "mingru"])
def test_masks_and_noise_together_equal_the_rows_alone(name):
    """A row that is cut short has the masks that it has in the whole batch."""
    cell, lengths = zoneout(make(name), 0.3), jnp.array([6, 0, 3, 5])
    with jax.enable_x64(True):
        (params, carry, x), _ = cast(draw(name, T, (B,)), "float64")
        runs = jax.jit(functools.partial(run, ENGINES[name], cell, key=KEY))
        last, y = runs(params, carry, x, lengths=lengths)
        whole = [(carry, jnp.zeros_like(y))]
        marked = with_noise(cell, KEY, carry, x, T)
        for t in range(T):
            u = cell.project(params, jax.tree.map(lambda leaf, t=t: leaf[t], marked))
            whole.append(cell.step(params, whole[-1][0], u))
        for b, length in enumerate(lengths):
            for a, w in zip(
                jax.tree.leaves(last), jax.tree.leaves(whole[length][0]), strict=True
            ):
                np.testing.assert_allclose(a[b], w[b], rtol=1e-10, atol=1e-10)
            for t in range(T):
                wanted = whole[t + 1][1][b] if t < length else np.zeros(H)
                np.testing.assert_allclose(y[t, b], wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "wrapper"),
    [
        (name, wrapper)
        for name in NAMES
        for wrapper in WRAPPERS
        if wrapper != "recurrent_dropout" or isinstance(make(name), SplitCell)
    ],
)
def test_keeps_the_structure_and_is_a_value(name, wrapper):
    cell, again = WRAPPERS[wrapper](make(name)), WRAPPERS[wrapper](make(name))
    for kind in (SplitCell, LinearCell):
        assert isinstance(cell, kind) == isinstance(make(name), kind)
    other = WRAPPERS[wrapper](make(name, H + 1))
    assert cell == again != other and hash(cell) == hash(again)
    assert pickle.loads(pickle.dumps(cell)) == cell


@pytest.mark.parametrize("wrapper", ["recurrent_dropout", "state_dropout", "zoneout"])
def test_masks_are_those_of_the_key_and_of_the_rate(wrapper):
    cell = WRAPPERS[wrapper](Elman(50))
    carry, x = cell.initial((40,)), jnp.zeros((30, 40, I))
    (kept,) = with_noise(cell, KEY, carry, x, 30).marks
    np.testing.assert_array_equal(with_noise(cell, KEY, carry, x, 30).marks[0], kept)
    other = with_noise(cell, jax.random.key(1), carry, x, 30).marks[0]
    assert not np.array_equal(other, kept)
    constant = wrapper == "recurrent_dropout"
    assert np.all(kept == kept[0]) == constant
    drawn = kept[0].size if constant else kept.size
    assert abs(np.mean(kept) - 0.7) < 5 * np.sqrt(0.21 / drawn)


@pytest.mark.parametrize("each_step", [False, True])
def test_recurrent_dropout_of_a_mogrifier_is_that_of_its_lstm(each_step):
    """With gates of one it is an LSTM, and h is dropped before all it is used for."""
    idle = MogrifierLSTM(H, rounds=2)
    params = jax.jit(idle.init, static_argnums=1)(jax.random.key(0), H)
    params = params | {name: 0 * params[name] for name in "qr"}
    x, key = jax.random.normal(jax.random.key(1), (5, 2, H)), jax.random.key(2)

    def ran(cell):
        dropped = recurrent_dropout(cell, 0.5, each_step)
        return run(Scan(), dropped, params, cell.initial((2,)), x, key=key)

    wanted, plain = ran(LSTM(H)), run(Scan(), idle, params, idle.initial((2,)), x)
    close(ran(idle), wanted, 1e-6)
    assert not np.allclose(plain[1], wanted[1])


def test_recurrent_dropout_at_each_step_has_masks_of_its_own():
    cell = recurrent_dropout(Elman(50), 0.3, each_step=True)
    (kept,) = with_noise(cell, KEY, cell.initial((40,)), jnp.zeros((30, 40, I)), 30)[1]
    assert abs(np.mean(kept[1:] == kept[:-1]) - (0.49 + 0.09)) < 0.01


def test_nested_wrappers_draw_apart():
    cell = zoneout(state_dropout(Elman(50), 0.3), 0.3)
    marked = with_noise(cell, KEY, cell.initial((40,)), jnp.zeros((30, 40, I)), 30)
    (outer,), (inner,) = marked.marks, marked.x.marks
    assert abs(np.mean(outer == inner) - 0.58) < 0.02


@pytest.mark.parametrize("wrapper", ["recurrent_dropout", "state_dropout", "zoneout"])
@pytest.mark.parametrize("key", [None, KEY])
def test_a_rate_of_zero_changes_nothing(wrapper, key):
    kind = {"recurrent_dropout": recurrent_dropout, "state_dropout": state_dropout}
    cell = kind.get(wrapper, zoneout)(LSTM(H), 0.0)
    inputs, _ = cast(draw("lstm", T, (B,)), "float32")
    actual = run(Scan(), cell, *inputs, key=key)
    jax.tree.map(np.testing.assert_array_equal, actual, Scan()(LSTM(H), *inputs))


@pytest.mark.parametrize("wrapper", ["recurrent_dropout", "state_dropout"])
def test_dropout_is_off_without_a_key(wrapper):
    inputs, _ = cast(draw("lstm", T, (B,)), "float32")
    actual = run(Scan(), WRAPPERS[wrapper](LSTM(H)), *inputs)
    jax.tree.map(np.testing.assert_array_equal, actual, Scan()(LSTM(H), *inputs))


@pytest.mark.parametrize("name", ["lstm", "mingru"])
def test_zoneout_without_a_key_is_the_mean(name):
    cell = make(name)
    rates = {"lstm": LSTMCarry(c=0.5, h=0.1), "mingru": 0.5}[name]
    with jax.enable_x64(True):
        (params, carry, x), _ = cast(draw(name, 1, (B,)), "float64")
        after, y = run(ENGINES[name], zoneout(cell, rates), params, carry, x)
        new, _ = cell.step(params, carry, cell.project(params, x[0]))
        wanted = jax.tree.map(lambda r, o, n: r * o + (1 - r) * n, rates, carry, new)
        close(after, wanted, 1e-12)
        close(y[0], wanted.h if name == "lstm" else wanted, 1e-12)


@pytest.mark.parametrize("name", ENGINES)
def test_a_learned_start_gets_its_gradient_also_by_resets(name):
    cell = learned_start(make(name))
    reset = jnp.zeros((T, B), bool).at[3, 1].set(True)
    with jax.enable_x64(True):
        (own, first, x), (_, weights) = cast(draw(name, T, (B,)), "float64")

        def parts(leaf):
            return (leaf.real[0], leaf.imag[0]) if jnp.iscomplexobj(leaf) else leaf[0]

        def rows(like, leaf):
            leaf = jax.lax.complex(*leaf) if jnp.iscomplexobj(like) else leaf
            return jnp.broadcast_to(leaf, like.shape)

        params = {"cell": own, "start": jax.tree.map(parts, first)}

        def learned(params):
            carry = cell.start(params, (B,), jnp.float64)
            _, y = run(ENGINES[name], cell, params, carry, x, reset=reset)
            return jnp.sum(y * weights)

        def by_hand(params):
            carry = jax.tree.map(rows, first, params["start"])
            _, y = Scan()(make(name), params["cell"], carry, x)
            row = jax.tree.map(lambda leaf: leaf[1:2], carry)
            _, again = Scan()(make(name), params["cell"], row, x[3:, 1:2])
            return jnp.sum(y.at[3:, 1:2].set(again) * weights)

        actual, wanted = (jax.jit(jax.grad(f))(params) for f in (learned, by_hand))
        close(actual, wanted, 1e-10)


@pytest.mark.parametrize("name", ["lstm", "lru"])
def test_a_learned_start_begins_at_the_initial_carry(name):
    cell = learned_start(make(name))
    params = cell.init(KEY, I)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    jax.tree.map(
        np.testing.assert_array_equal, cell.start(params, (B,)), cell.initial((B,))
    )


def test_a_step_down_the_gradient_of_a_complex_start_lowers_the_loss():
    cell = learned_start(LRU(4))
    params = cell.init(KEY, I)
    x = jax.random.normal(jax.random.key(1), (5, B, I))

    @jax.jit
    def loss(start):
        own = {**params, "start": start}
        _, y = run(Scan(), cell, own, cell.start(own, (B,)), x)
        return jnp.mean((y - 1) ** 2)

    start, last = params["start"], np.inf
    for _ in range(10):
        assert (now := float(loss(start))) < last
        step, last = jax.grad(loss)(start), now
        start = jax.tree.map(lambda a, g: a - 0.1 * g, start, step)


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_with_a_float32_carry_on_every_cell(name):
    """Dtypes as chosen; values near those of float32; gradients too."""
    inputs, weights = cast(draw(name, T, (B,)), "float32")
    inputs = jax.tree.map(lambda a: 0.5 * a, inputs)
    cell = make(name)
    engine = ENGINES.get(name, Scan())
    (wanted_grads, wanted), (actual_grads, actual) = (
        jax.jit(functools.partial(grads, functools.partial(engine, kind)))(
            inputs, weights
        )
        for kind in (cell, mixed(cell))
    )
    assert actual[1].dtype == jnp.bfloat16
    for tree, like in ((actual[0], inputs[1]), (actual_grads, inputs)):
        kinds, wanted_kinds = (jax.tree.map(lambda a: a.dtype, t) for t in (tree, like))
        assert kinds == wanted_kinds
    for a, w in zip(
        jax.tree.leaves((actual, actual_grads)),
        jax.tree.leaves((wanted, wanted_grads)),
        strict=True,
    ):
        a, w = np.asarray(a, np.complex64), np.asarray(w, np.complex64)
        assert np.linalg.norm(a - w) < 0.03 * np.linalg.norm(w)
        assert np.any(a != w)


def test_a_mixed_carry_is_more_exact_than_its_products():
    """A sum of many small steps stalls in bfloat16, and not in a float32 carry."""
    cell, steps = MinGRU(1), 2000
    params = {"kernel": jnp.zeros((1, 2)), "bias": jnp.array([-7.0, 1.0])}
    x = jnp.zeros((steps, 1))
    low = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (params, x))
    z = 1 / (1 + np.exp(7.0))
    wanted = 1 - (1 - z) ** steps
    narrow, _ = Scan()(cell, low[0], cell.initial((), jnp.bfloat16), low[1])
    kept, _ = Scan()(mixed(cell), params, cell.initial(()), x)
    assert abs(kept[0] - wanted) < 1e-3 < 0.1 < abs(float(narrow[0]) - wanted)


def test_mixed_parameters_may_be_narrow_themselves():
    (params, carry, x), _ = cast(draw("lstm", T, (B,)), "float32")
    low = jax.tree.map(lambda a: a.astype(jnp.bfloat16), params)
    after, y = Deferred()(mixed(LSTM(H)), low, carry, x)
    wanted = Deferred()(mixed(LSTM(H)), params, carry, x)
    close((after, y), wanted, 1e-6)


PROMOTED = {
    "params": ("bfloat16", "float32", "float32"),
    "x": ("float32", "float32", "bfloat16"),
    "carry": ("float32", "bfloat16", "float32"),
    "whole numbers": ("float32", "float32", "int32"),
}


@pytest.mark.parametrize("case", PROMOTED)
@pytest.mark.parametrize("cell", [LSTM(H), MinGRU(H), RHN(H)])
def test_nothing_is_promoted_silently(cell, case):
    kinds = PROMOTED[case]
    inputs = cell.init(KEY, I), cell.initial((B,)), jnp.zeros((T, B, I))
    inputs = [
        jax.tree.map(lambda a, kind=kind: a.astype(kind), tree)
        for tree, kind in zip(inputs, kinds, strict=True)
    ]
    with pytest.raises(ValueError, match="promotes no dtype silently") as error:
        Scan()(cell, *inputs)
    for part in (*set(kinds), "mixed"):
        assert part in str(error.value)


BAD = {
    "rate of one": (lambda: zoneout(GRU(H), 1.0), "zoneout.*below 1, got 1.0"),
    "negative": (lambda: state_dropout(GRU(H), -0.1), "state_dropout.*-0.1"),
    "one rate too many": (
        lambda: zoneout(GRU(H), LSTMCarry(0.1, 0.1)), r"zoneout.*leaf.*LSTMCarry"
    ),
    "a plain tuple": (
        lambda: zoneout(LSTM(H), (0.1, 0.1)), r"LSTMCarry\(c='\*'.*\(0.1, 0.1\)"
    ),
    "one rate for a clock": (
        lambda: zoneout(ClockworkRNN(8), 0.1), r"zoneout.*phase.*not all units, got 0.1"
    ),
    "one rate inside of another": (
        lambda: state_dropout(zoneout(SLSTM(8), 0.0), 0.1), "state_dropout.*not all"
    ),
    "whole numbers": (lambda: mixed(GRU(H), jnp.int8), "mixed.*compute.*int8"),
    "complex": (lambda: mixed(LRU(H), carry=jnp.complex64), "mixed.*carry.*complex64"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_bad_wrappers_are_named(bad):
    make_it, message = BAD[bad]
    with pytest.raises(ValueError, match=message):
        make_it()


def test_zoneout_stands_inside_of_mixed():
    with pytest.raises(TypeError, match=r"inside of mixed.*write mixed\(zoneout"):
        zoneout(masked(mixed(LSTM(H))), 0.1)
    zoneout(masked(LSTM(H)), 0.1)


@pytest.mark.parametrize("cell", [MinGRU(H), RHN(H)])
def test_recurrent_dropout_needs_a_product_that_stands_apart(cell):
    with pytest.raises(TypeError, match=r"SplitCell.*got (MinGRU|RHN).*state_dropout"):
        recurrent_dropout(cell, 0.1)


def test_noise_of_a_grid_has_the_shape_of_its_carry():
    cell = state_dropout(ConvLSTM(H, size=(2, 3)), LSTMCarry(c=0.0, h=0.5))
    x = jnp.zeros((T, B, 2, 3, I))
    marks = with_noise(cell, KEY, cell.initial((B,)), x, T).marks
    assert marks[0] is None and marks[1].shape == (T, B, 2, 3, H)
