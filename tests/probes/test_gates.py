"""What is seen of a run is what the papers' equations compute on the way."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ALL, cast, draw_near_start, make
from equations import EQUATIONS, FAMILIES
from one_cell import near

from rnnlab.cell import LinearCell, SplitCell
from rnnlab.cells import GRU, LSTM, Elman
from rnnlab.probes import gates
from rnnlab.probes.activations import noting
from rnnlab.sequences import before
from rnnlab.wrappers import Marked, Marks, masked, zoneout

T, B = 3, 2
# Cells that compute with logarithms or ratios, or both sides of a branch.
OTHERWISE = {
    "hm_lstm",
    "minlstm",
    "mlstm",
    "positive_mingru",
    "positive_minlstm",
    "rg_lru",
    "slstm",
}


class Spied(np.ndarray):
    """Numbers that note what tanh makes of them."""

    noted = []

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [np.asarray(a) if isinstance(a, Spied) else a for a in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(np.asarray(a) for a in kwargs["out"])
        outcome = getattr(ufunc, method)(*plain, **kwargs)
        if ufunc is np.tanh:
            Spied.noted.append(outcome)
        return outcome.view(Spied) if isinstance(outcome, np.ndarray) else outcome


def spied(tree):
    return jax.tree.map(lambda a: np.asarray(a).view(Spied), tree)


@functools.lru_cache
def seen(name):
    """Returns what `watch` sees, computed once for all tests."""
    with jax.enable_x64(True):
        inputs = cast(draw_near_start(name, T, B)[0], "float64")
        found = jax.jit(functools.partial(gates.watch, make(name)))(*inputs)
        return jax.tree.map(np.asarray, (inputs, found))


@pytest.mark.parametrize("name", ALL)
def test_activations_and_states_are_those_of_the_equation(name, monkeypatch):
    (params, carry, x), found = seen(name)
    sigmoids = []

    def sigmoid(a):
        value = 1 / (1 + np.exp(-np.asarray(a)))
        sigmoids.append(value)
        return value.view(Spied)

    for family in FAMILIES:
        monkeypatch.setattr(family, "sigmoid", sigmoid, raising=False)
    for t in range(T):
        sigmoids.clear()
        Spied.noted = []
        x_t = jax.tree.map(lambda a, t=t: a[t], x)
        carry = EQUATIONS[name](spied(params), spied(carry), spied(x_t))[0]
        near(jax.tree.map(lambda a, t=t: a[t], found.carries), carry, 1e-9)
        values = {
            kind: [v[t] for k, v in found.activations.items() if kind in k]
            for kind in ("sigmoid", "tanh")
        }
        if name not in OTHERWISE:
            assert same(values["tanh"], Spied.noted)
            # A cell may have 1 - f as sigmoid(-a).
            assert same(
                *(v + [1 - a for a in v] for v in (values["sigmoid"], sigmoids))
            )


def same(some, others):
    """Whether each number of one side stands on the other, in whatever order."""
    return within(some, others) and within(others, some)


def within(some, others):
    """Whether each number of the first arrays stands in the others."""
    some, others = (np.concatenate([[], *map(np.ravel, s)]) for s in (some, others))
    if not (some.size and others.size):
        return some.size == 0
    return np.abs(some[:, None] - others).min(1).max() < 1e-9


@pytest.mark.parametrize("name", ALL)
def test_what_is_kept_is_the_diagonal_of_the_derivative(name):
    (params, carry, x), found = seen(name)
    cell = make(name)
    if not isinstance(cell, LinearCell | SplitCell):
        assert found.kept == {}
        return
    with jax.enable_x64(True):
        own = cell.prepare(params)
        u = cell.project(own, jax.tree.map(lambda a: a[0], x))
        if isinstance(cell, LinearCell):
            a = np.asarray(cell.coefficients(own, u)[0])
            near(found.kept["h"][0], np.broadcast_to(np.abs(a), carry.shape), 1e-10)
            return
        r = cell.recur(own, cell.seen(own, carry, u))
        leaves, structure = jax.tree.flatten(carry)

        @jax.jit
        def whole(leaves):
            def after(leaves):
                return jax.tree.leaves(
                    cell.update(own, structure.unflatten(leaves), u, r)[0]
                )

            # Along the real axis, also of complex numbers.
            return jax.jacfwd(lambda shifts: after([*map(jnp.add, leaves, shifts)]))(
                [jnp.zeros(a.shape) for a in leaves]
            )

        for k, (name, each) in enumerate(
            zip(gates.by_leaf(carry), whole(leaves), strict=True)
        ):
            matrix = np.asarray(each[k]).reshape(leaves[k].size, leaves[k].size)
            diagonal = np.abs(np.diag(matrix)).reshape(leaves[k].shape)
            near(found.kept[name][0], diagonal, 1e-10)


def test_an_lstm_keeps_by_its_forget_gate_and_a_gru_by_z():
    _, lstm = seen("lstm")
    near(lstm.kept["c"], lstm.activations["sigmoid 1"])
    near(lstm.kept["h"], np.zeros_like(lstm.kept["h"]))
    _, gru = seen("gru")
    near(gru.kept["h"], gru.activations["sigmoid 1"])


def test_saturation_is_by_side_and_over_steps():
    values = np.array([[[0.05, 0.5]], [[0.95, 0.5]], [[0.99, 0.95]], [[0.1, 0.9]]])
    none, side, more = np.array([[[0, 0]], [[0.25, 0]], [[0.5, 0.25]]])
    found = gates.saturation({"sigmoid 0": values, "tanh 0": values, "tanh 1": -values})
    near(found["sigmoid 0"], gates.Saturation(side, more))
    near(found["tanh 0"], gates.Saturation(none, more))
    near(found["tanh 1"], gates.Saturation(more, none))


def test_the_forget_time_is_that_of_a_decay():
    found = gates.forget_time(jnp.array([0.0, 0.5, -0.5, np.exp(-0.1), 1.0, 1.5]))
    half = 1 / np.log(2)
    near(found, np.array([0, half, half, 10, np.inf, np.inf]), 1e-5)


def test_norms_are_by_leaf_and_the_mean_over_rows():
    _, found = seen("lstm")
    norms = gates.state_norms(found.carries)
    wanted = np.linalg.norm(found.carries.c, axis=-1).mean(1)
    near(norms["c"], wanted, 1e-6)
    assert norms.keys() == {"c", "h"} and norms["h"].shape == (T,)


def test_wrapped_cells_any_batch_axes_and_seeds_by_vmap():
    cell, x = zoneout(GRU(4), 0.3), jax.random.normal(jax.random.key(1), (T, 2, 3, 5))

    @jax.jit
    def one(key):
        carry = cell.initial((2, 3))
        return gates.watch(cell, cell.init(key, 5), carry, x)

    keys = jax.random.split(jax.random.key(0), 2)
    found = jax.jit(jax.vmap(one))(keys)
    near(jax.tree.map(lambda a: a[1], found), one(keys[1]), 1e-5)
    z = found.activations["sigmoid 1"]
    assert z.shape == (2, T, 2, 3, 4)
    near(found.kept["h"], 0.3 + 0.7 * z, 1e-6)


def test_a_step_that_does_not_count_keeps_all():
    cell = masked(LSTM(4))
    params, carry = cell.init(jax.random.key(0), 3), cell.initial((2,))
    valid = before(jnp.array([1, 3]), T)
    x = Marked(jnp.ones((T, 2, 3)), Marks(valid))
    kept = gates.watch(cell, params, carry, x).kept["c"]
    assert (np.asarray(kept == 1).all(-1) == ~np.asarray(valid)).all()


def test_activations_are_found_inside_of_what_is_called():
    @jax.checkpoint
    def inner(a):
        return jax.jit(jnp.tanh)(a) + jax.nn.sigmoid(a)

    def outer(a, b):
        return {"y": inner(a) * 2, "z": jnp.tanh(b)}

    a, b = jnp.arange(3.0), jnp.ones(2)
    outcome, found = noting(outer)(a, b)
    near(outcome, outer(a, b))
    wanted = {
        "tanh 0": np.tanh(a),
        "sigmoid 0": 1 / (1 + np.exp(-a)),
        "tanh 1": np.tanh(b),
    }
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        near(found[name], value)


def test_a_carry_without_derivative_is_named():
    cell, carry = Elman(4), jnp.zeros((2, 4), jnp.int32)
    with pytest.raises(TypeError, match="real or complex numbers.*int32.*Elman"):
        gates.watch(cell, {}, carry, jnp.zeros((T, 2, 3)))
