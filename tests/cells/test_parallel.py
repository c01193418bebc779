"""What parallel cells claim: stable, finite, the same in log space and as attention."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import cast, grads
from one_cell import moved, near, run, slopes
from sizes import H, I

from rnnlab.cells.mlstm import MLSTM
from rnnlab.cells.positive import PositiveMinLSTM
from rnnlab.cells.qrnn import QRNN
from rnnlab.cells.rg_lru import RGLRU
from rnnlab.cells.s5 import S5, hippo_frequencies
from rnnlab.cells.slstm import SLSTM
from rnnlab.cells.sru import SRU
from rnnlab.engines import Scan

GATES = [(i, f) for i in (-100.0, 100.0) for f in (-100.0, 100.0)]


def gated(cell, i, f):
    """Returns inputs by which i~ and f~ are about these, the last step's opposite."""
    params, _, x = moved(cell, 6)
    units, heads = cell.features, cell.heads
    at_i, at_f = (
        (slice(4 * units, 4 * units + heads), slice(4 * units + heads, None))
        if isinstance(cell, MLSTM)
        else (slice(units), slice(units, 2 * units))
    )
    kernel, bias = params["kernel"].copy(), params["bias"].copy()
    for at, gate in ((at_i, i), (at_f, f)):
        kernel[:, at] *= 0.01
        kernel[0, at] = gate
        bias[at] *= 0.01
    x[..., 0] = 1.0
    x[-1, :, 0] = -1.0
    params = params | {"kernel": kernel, "bias": bias}
    return cast((params, cell.initial((2,)), x), "float32")


@pytest.mark.parametrize(("i", "f"), GATES)
@pytest.mark.parametrize("cell", [SLSTM(H), MLSTM(H)], ids=str)
def test_exponential_gates_stay_finite(cell, i, f):
    inputs = gated(cell, i, f)
    outcome, gradients = run(Scan(), cell, *inputs), slopes(Scan(), cell, *inputs)
    for leaf in jax.tree.leaves((outcome, gradients)):
        assert np.isfinite(leaf).all()
    assert np.abs(outcome[1]).max() > 1e-3


@pytest.mark.parametrize("gate", [-100.0, 100.0])
def test_an_mlstm_asked_for_nothing_is_finite(gate):
    cell = MLSTM(H)
    params, carry, x = gated(cell, gate, 100.0)
    silent = jax.tree.map(jnp.zeros_like, params)
    own = silent | {"bias": silent["bias"].at[4 * H :].set(gate)}
    for leaf in jax.tree.leaves(slopes(Scan(), cell, own, carry, x)):
        assert np.isfinite(leaf).all()


def test_an_slstm_does_not_see_the_stabiliser():
    """m and the scale of c and n belong together: another pair gives the same h."""
    cell = SLSTM(H)
    with jax.enable_x64(True):
        params, carry, x = cast(moved(cell, 5), "float64")
        carry, _ = run(Scan(), cell, params, cell.initial((2,), "float64"), x)
        scale = jnp.exp(3.0)
        other = carry._replace(c=carry.c * scale, n=carry.n * scale, m=carry.m - 3)
        ends = [run(Scan(), cell, params, c, x)[1] for c in (carry, other)]
        near(*ends, 1e-12, 0)
        assert np.abs(ends[0]).max() < 1  # an average of tanh


def test_heads_do_not_see_each_other():
    cell = SLSTM(H)
    carry = cell.initial(())
    h = jnp.arange(1.0, H + 1)
    params = {"recurrent": jnp.ones((2, H // 2, 4 * (H // 2)))}
    r = np.split(cell.recur(params, carry._replace(h=h)), 4)
    for gate in r:
        np.testing.assert_array_equal(gate, np.repeat([1 + 2 + 3.0, 4 + 5 + 6.0], 3))


@pytest.mark.parametrize("heads", [1, 3])
def test_a_parallel_mlstm_equals_the_recurrent_one(heads):
    cell = MLSTM(H, heads=heads)
    with jax.enable_x64(True):
        params, _, x = cast(moved(cell, 11), "float64")
        zero = cell.initial((2,), "float64")

        @jax.jit
        def both(params, x):
            def at_once(cell, params, x):
                return cell.parallel(params, x)

            def in_turn(cell, params, x):
                return Scan()(cell, params, zero, x)[1]

            weights = jnp.cos(jnp.arange(11 * 2 * H)).reshape(11, 2, H)
            return [
                grads(functools.partial(way, cell), (params, x), weights)
                for way in (at_once, in_turn)
            ]

        near(*both(params, x), 1e-9, 1e-11)


def test_a_parallel_mlstm_is_finite_under_great_gates():
    cell = MLSTM(H)
    parallel = jax.jit(cell.parallel)
    for i, f in GATES:
        params, carry, x = gated(cell, i, f)
        y = parallel(params, x)
        near(y, run(Scan(), cell, params, carry, x)[1], 1e-3, 1e-4)


def test_a_parallel_mlstm_in_half_precision_knows_how_long_ago_a_step_is():
    """Over 512 steps log f sums up to some 350, beside which bfloat16 sees no step."""
    cell = MLSTM(8, heads=2)
    params = cell.init(jax.random.key(0), 8)
    params["bias"] = params["bias"].at[-2:].set(0)
    x = jax.random.normal(jax.random.key(1), (512, 2, 8))
    wanted = jax.jit(cell.parallel)(params, x)
    found = jax.jit(cell.parallel)(*cast((params, x), "bfloat16"))
    assert found.dtype == jnp.bfloat16
    assert np.mean(np.abs(found - wanted)) < 0.02 * np.mean(np.abs(wanted))


def test_hippo_frequencies_are_those_of_the_matrix():
    """HiPPO-N after the paper: HiPPO-LegS and a product of rank one."""
    n = np.arange(2 * H)
    roots = np.sqrt(2 * n + 1)
    legs = -np.tril(np.outer(roots, roots), -1) - np.diag(n + 1.0)
    normal = legs + np.outer(roots, roots) / 2
    values = np.linalg.eigvals(normal)
    near(values.real, -0.5 * np.ones(2 * H), 1e-9, 0)
    near(hippo_frequencies(H), np.sort(values.imag)[H:], 1e-9, 0)
    assert hippo_frequencies(H)[0] > 0


def test_s5_is_stable_and_holds_its_input():
    cell = S5(H)
    params = cell.init(jax.random.key(0), I)
    step = np.exp(params["log_step"])
    assert np.all((step >= 0.001) & (step <= 0.1))
    u = cell.project(params, jnp.ones((1, I)))
    a, b = cell.coefficients(params, u)
    assert np.all(np.abs(a) < 1) and np.all(np.abs(a) > 0.9)
    # Input that stays: h settles where the continuous system does, at -B x / lambda.
    eigenvalues = -0.5 + 1j * hippo_frequencies(H)
    near((b / (1 - a))[0], -summed(params["kernel"]) / eigenvalues, 1e-4, 0)
    far = params | {"log_decay": params["log_decay"] + 5}
    assert np.all(np.abs(cell.coefficients(far, u)[0]) < 1)


def test_s5_keeps_its_gain_where_a_step_is_short():
    """(a - 1) / lambda tends to the step; the difference as it stands loses it."""
    cell = S5(H, shortest=1e-6, longest=1e-6)
    params = cell.init(jax.random.key(0), I)
    _, b = cell.coefficients(params, cell.project(params, jnp.ones(I)))
    near(b, 1e-6 * summed(params["kernel"]), 1e-4, 0)


def summed(kernel):
    """Returns B x for an x of ones."""
    real, imaginary = np.split(np.asarray(kernel, np.float64).sum(0), 2)
    return real + 1j * imaginary


def test_rg_lru_starts_in_the_range_and_keeps_the_variance():
    cell = RGLRU(256)

    @jax.jit
    def opened(key):
        params = cell.init(key, I)
        params = params | {"gates_bias": jnp.repeat(jnp.array([100.0, 0.0]), 256)}
        return cell.coefficients(params, cell.project(params, jnp.ones(I)))[0]

    a = opened(jax.random.key(0))
    assert np.all((a > 0.9 - 1e-4) & (a < 0.999 + 1e-4))
    np.testing.assert_allclose(np.mean(a), (0.9 + 0.999) / 2, atol=0.005)
    log_a = jnp.array([-1e-6, -0.5])
    _, b = cell.coefficients({}, (log_a, jnp.ones(2)))
    near(b, np.sqrt(-np.expm1(2 * np.float64([-1e-6, -0.5]))), 1e-5, 0)


def test_rg_lru_with_shut_gates_has_finite_gradients():
    cell = RGLRU(H)
    params, carry, x = cast(moved(cell, 4), "float32")
    for gate in (-200.0, -80.0, 200.0):
        own = params | {"gates_bias": jnp.full(2 * H, gate)}
        for leaf in jax.tree.leaves(slopes(Scan(), cell, own, carry, x)):
            assert np.isfinite(leaf).all()


def test_minlstm_gates_sum_to_one_however_far_shut():
    cell = PositiveMinLSTM(H)
    u = jnp.concatenate([jnp.full(H, -200.0), jnp.full(H, -199.0), jnp.zeros(H)])
    a, b = cell.coefficients({}, u)
    near(a, np.full(H, 1 / (1 + np.e)), 1e-5, 0)
    near(b, np.full(H, 0.5 * np.e / (1 + np.e)), 1e-5, 0)


@pytest.mark.parametrize("bias", [-2.0, 0.0])
def test_an_sru_with_a_shut_gate_shows_its_scaled_input(bias):
    cell = SRU(H, highway_bias=bias)
    params = cell.init(jax.random.key(0), I)
    np.testing.assert_array_equal(params["bias"], np.repeat([0, bias], H))
    shut = params | {"bias": jnp.repeat(jnp.array([0.0, -100.0]), H)}
    x = jnp.ones((1, I))
    _, y = cell.step(shut, jnp.ones((1, H)), cell.project(shut, x))
    alpha = np.sqrt(1 + 2 * np.exp(bias))
    near(y, alpha * (x @ params["kernel"][:, 3 * H :]), 1e-5, 0)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: SLSTM(H, heads=4), "heads=4 and features=6.*features of 8"),
        (lambda: MLSTM(H, heads=4), "heads=4 and features=6.*features of 8"),
        (lambda: MLSTM(H, heads=0), "heads.*positive int, got 0"),
        (lambda: SRU(0), "features.*positive int, got 0"),
        (lambda: QRNN(-1), "features.*positive int, got -1"),
        (lambda: S5(2.0), "features.*positive int, got 2.0"),
        (lambda: S5(H, shortest=0.2), "shortest=0.2 and longest=0.1"),
        (lambda: S5(H, shortest=0.0), "shortest=0.0"),
        (lambda: RGLRU(H, largest=1.0), "largest=1.0"),
        (lambda: RGLRU(H, smallest=0.999, largest=0.9), "smallest=0.999"),
    ],
)
def test_bad_hyperparameters_are_named(make, wanted):
    with pytest.raises(ValueError, match=wanted):
        make()
