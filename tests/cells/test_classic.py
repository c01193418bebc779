"""What the classic cells' papers claim of them, and hyperparameters they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import H, I
from one_cell import near, normal, run

from rnnlab.cells.clockwork import ClockworkRNN
from rnnlab.cells.echo_state import EchoState, ridge
from rnnlab.cells.greff import VARIANTS, GreffLSTM
from rnnlab.cells.gru import GRUBefore
from rnnlab.cells.indrnn import IndRNN
from rnnlab.cells.irnn import IRNN
from rnnlab.cells.layer_norm_gru import LayerNormGRU
from rnnlab.cells.mut import MUT2
from rnnlab.engines import Scan

KEY = jax.random.key(0)
T, B = 9, 2


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_irnn_starts_as_the_identity(scale):
    cell = IRNN(H, scale=scale)
    h = jnp.abs(normal(0, B, H))
    last, y = run(Scan(), cell, cell.init(KEY, I), h, jnp.zeros((T, B, I)))
    np.testing.assert_array_equal(last, h * scale**T)
    np.testing.assert_array_equal(y[0], h * scale)


def test_irnn_sees_little_of_its_input_at_first():
    kernel = IRNN(100).init(KEY, 100)["kernel"]
    assert float(kernel.std()) == pytest.approx(0.001, rel=0.05)


def test_units_of_indrnn_know_nothing_of_each_other():
    cell = IndRNN(H)
    params = cell.init(KEY, I) | {"bias": jnp.ones(H)}
    assert 0 <= params["recurrent"].min() and params["recurrent"].max() <= 1
    h, x = jnp.abs(normal(0, H)) + 1, jnp.zeros(I)
    seen = jax.jacobian(lambda h: cell.step(params, h, cell.project(params, x))[1])(h)
    near(seen, np.diag(params["recurrent"]))


def test_mut2_with_a_matrix_is_a_gru_with_its_update_gate_turned():
    mut, gru = MUT2(H), GRUBefore(H)
    params = mut.init(KEY, I)

    def turned(a):  # z, r, n -> r, -z, n
        z, r, n = jnp.split(a, 3, axis=-1)
        return jnp.concatenate([r, -z, n], axis=-1)

    h, x = normal(0, B, H), normal(1, T, B, I)
    _, y = run(Scan(), mut, params, h, x)
    _, wanted = run(Scan(), gru, jax.tree.map(turned, params), h, x)
    near(y, wanted)


@pytest.mark.parametrize("part", ["kernel", "recurrent"])
def test_layer_norm_gru_asks_nothing_of_the_size_of_its_weights(part):
    cell = LayerNormGRU(H)
    params = cell.init(KEY, I)
    h, x = normal(0, B, H), normal(1, T, B, I)
    _, wanted = run(Scan(), cell, params, h, x)
    # Up to the 1e-5 beside a variance.
    _, y = run(Scan(), cell, params | {part: 1000 * params[part]}, h, x)
    near(y, wanted, 1e-3)
    gates = jnp.where(jnp.arange(3 * H) < 2 * H, 1000, 1)  # normalised apart
    _, y = run(Scan(), cell, params | {part: gates * params[part]}, h, x)
    near(y, wanted, 1e-3)
    _, y = run(Scan(), cell, params | {part: jnp.roll(gates, H) * params[part]}, h, x)
    assert np.abs(y - wanted).max() > 0.1


@pytest.mark.parametrize("variant", ["nig", "nfg", "nog", "cifg"])
def test_a_gate_that_is_not_has_no_weights(variant):
    params = GreffLSTM(H, variant).init(KEY, I)
    assert params["kernel"].shape == (I, 3 * H)
    assert params["peephole"].shape == (2, H)
    forget = VARIANTS[variant].find("f")
    wanted = np.zeros((3, H))
    wanted[forget] = forget >= 0
    np.testing.assert_array_equal(params["bias"].reshape(3, H), wanted)


def test_a_variant_carries_gates_where_it_needs_them():
    assert GreffLSTM(H, "fgr").initial((B,)).gates.shape == (B, 3 * H)
    assert not jax.tree.leaves(GreffLSTM(H, "np").initial((B,)).gates)


def test_modules_of_a_clockwork_change_at_their_steps_alone():
    cell = ClockworkRNN(H, periods=(1, 2, 4))
    carry, y = run(Scan(), cell, cell.init(KEY, I), cell.initial(()), normal(0, T, I))
    moved = np.diff(y, axis=0, prepend=np.zeros((1, H))) != 0
    for t in range(T):
        for module, period in enumerate(cell.periods):
            own = moved[t, 2 * module : 2 * module + 2]
            assert own.all() if t % period == 0 else not own.any()
    np.testing.assert_array_equal(carry.phase, [T % period for period in (1, 2, 4)])


def test_slow_modules_of_a_clockwork_do_not_see_fast_ones():
    cell = ClockworkRNN(H, periods=(1, 2, 4))
    own = cell.prepare(cell.init(KEY, I))
    seen = jax.jacobian(lambda h: cell.recur(own, cell.initial(())._replace(h=h)))
    module = np.arange(H) // 2
    slower = module[None] >= module[:, None]  # by units seeing, units seen
    np.testing.assert_array_equal(seen(jnp.ones(H)) != 0, slower)


@pytest.mark.parametrize("leak", [1.0, 0.4])
def test_an_echo_state_forgets_its_start(leak):
    """The distance of two states shrinks by 1 - a + a * radius a step, at least."""
    cell = EchoState(H, radius=0.8, leak=leak)
    params, x = cell.init(KEY, I), 0.1 * normal(0, 40, I)
    _, y = run(Scan(), cell, params, normal(1, H), x)
    _, other = run(Scan(), cell, params, normal(2, H), x)
    apart = np.linalg.norm(y - other, axis=-1)
    rate = 1 - leak + 0.8 * leak
    assert (apart[1:] <= rate * apart[:-1] + 1e-6).all()
    assert apart[-1] < 0.01 * apart[0]


def test_all_eigenvalues_of_an_echo_state_have_its_radius():
    recurrent = EchoState(H, radius=0.8).init(KEY, I)["recurrent"]
    near(np.abs(np.linalg.eigvals(recurrent)), np.full(H, 0.8))


def test_an_echo_state_is_not_trained_and_passes_gradients_on():
    cell = EchoState(H, leak=0.5)
    params = cell.init(KEY, I)
    h, x = normal(1, B, H), normal(0, T, B, I)

    def loss(params, h, x):
        return jnp.sum(jnp.sin(run(Scan(), cell, params, h, x)[1]))

    with jax.enable_x64(True):
        inputs = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), (params, h, x))
        d_params, d_h, d_x = jax.grad(loss, (0, 1, 2))(*inputs)
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(d_params))
        params, h, x = inputs
        for along, slope in (((1, 0), d_h.sum()), ((0, 1), d_x.sum())):
            more, less = (
                loss(params, h + e * along[0], x + e * along[1]) for e in (1e-6, -1e-6)
            )
            near(slope, (more - less) / 2e-6, 1e-7)


def test_ridge_finds_the_map_that_made_the_targets():
    readout, states = normal(1, H, 2), normal(0, T, 20, H)
    near(ridge(states, states @ readout), readout, 1e-5)


def test_ridge_is_the_least_of_its_cost():
    states, targets = normal(0, 50, H), normal(1, 50, 2)

    def cost(readout):
        misses = states @ readout - targets
        return jnp.sum(misses**2) + 3.0 * jnp.sum(readout**2)

    found = ridge(states, targets, penalty=3.0)
    near(jax.grad(cost)(found), np.zeros((H, 2)), 1e-4)


def test_bad_variant_is_named():
    with pytest.raises(ValueError, match="GreffLSTM needs variant.*nig, .*'vanilla'"):
        GreffLSTM(H, "vanilla")


@pytest.mark.parametrize(
    ("features", "periods", "said"),
    [
        (H, [1, 2], r"tuple of positive ints.*\[1, 2\]"),
        (H, (), r"tuple of positive ints.*\(\)"),
        (H, (0, 1), r"tuple of positive ints.*\(0, 1\)"),
        (H, (2, 3), r"divides the next.*\(2, 3\)"),
        (H, (4, 2, 1), r"divides the next.*\(4, 2, 1\)"),
        (7, (1, 2, 4), "features divisible.* 7 and 3"),
    ],
)
def test_bad_periods_are_named(features, periods, said):
    with pytest.raises(ValueError, match=f"ClockworkRNN needs .*{said}"):
        ClockworkRNN(features, periods)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (IRNN, "scale", 0.0),
        (EchoState, "radius", -0.5),
        (EchoState, "scale", 0),
        (EchoState, "leak", 0.0),
        (EchoState, "leak", 1.5),
    ],
)
def test_bad_numbers_are_named(kind, name, value):
    with pytest.raises(ValueError, match=f"{kind.__name__} needs (a )?{name}.*{value}"):
        kind(H, **{name: value})
