"""What papers claim of cells that discretise equations, keep norms, tell the time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import cast
from equations.dynamic import unitary_matrix
from jax.flatten_util import ravel_pytree
from one_cell import near, normal, run, start
from sizes import H, I

from rnnlab.cells import Elman, GRUBefore
from rnnlab.cells.antisymmetric import AntisymmetricRNN, GatedAntisymmetricRNN
from rnnlab.cells.batch_norm import BatchNormLSTM
from rnnlab.cells.conv_gru import ConvGRU
from rnnlab.cells.cornn import CoRNN
from rnnlab.cells.ctrnn import CTRNN, Timed
from rnnlab.cells.exprnn import ExpRNN
from rnnlab.cells.gru_d import GRUD
from rnnlab.cells.lem import LEM
from rnnlab.cells.unitary import UnitaryRNN
from rnnlab.engines import Deferred, Scan

T, B = 7, 2


# (least, most) of the largest singular value of d carry_200 / d carry_0
LARGEST = {
    AntisymmetricRNN(16, step_size=0.01): (1, 2),
    GatedAntisymmetricRNN(16, step_size=0.01): (1, 2),
    CoRNN(16): (1e-3, 1),
    CoRNN(16, step_size=0.01, damping=0.0): (1, 3),
    Elman(16): (0, 1e-15),
}


@pytest.mark.parametrize("cell", LARGEST, ids=repr)
def test_derivative_over_many_steps_neither_vanishes_nor_explodes(cell):
    params, carry = start(cell, rows=1)
    flat, unravel = ravel_pytree(carry)

    def last(flat):
        x = normal(0, 200, 1, I)
        return ravel_pytree(Scan()(cell, params, unravel(flat), x)[0])[0]

    derivative = jax.jit(jax.jacfwd(last))(flat + 0.1)
    values = np.linalg.svd(derivative, compute_uv=False)
    least, most = LARGEST[cell]
    assert least <= values[0] <= most
    if isinstance(cell, AntisymmetricRNN | GatedAntisymmetricRNN):
        assert values[-1] >= 0.5


@pytest.mark.parametrize("cell", [AntisymmetricRNN(H), GatedAntisymmetricRNN(H)])
def test_the_matrix_is_antisymmetric_but_for_friction(cell):
    params, _ = start(cell)
    a = np.asarray(cell.prepare(params)["recurrent"])
    near(a + a.T, -0.02 * np.eye(H), 1e-6)
    wide = type(cell)(200).init(jax.random.key(0), 50)
    assert np.std(wide["recurrent"]) == pytest.approx(200**-0.5, rel=0.03)
    assert np.std(wide["kernel"]) == pytest.approx(50**-0.5, rel=0.03)


@pytest.mark.parametrize("cell", [CoRNN(40), LEM(40)])
def test_initial_parameters_are_uniform(cell):
    params = cell.init(jax.random.key(0), 48)
    bound = (48 + 80) ** -0.5 if cell == CoRNN(40) else 40**-0.5
    for leaf in jax.tree.leaves(params):
        assert 0.8 * bound < np.abs(leaf).max() <= bound


def test_an_oscillator_swings_at_its_frequency():
    cell = CoRNN(1, step_size=0.001, frequency=4.0, damping=0.0)
    params, carry = start(cell, rows=1)
    still = jax.tree.map(jnp.zeros_like, params)
    carry = carry._replace(y=jnp.ones((1, 1)))
    x = jnp.zeros((round(np.pi * 1000), 1, I))  # one period of frequency 2
    (y, _), path = run(Scan(), cell, still, carry, x)
    near(y, [[1]], 1e-2)
    near(path.min(), -1, 1e-2)


@pytest.mark.parametrize("cell", [UnitaryRNN(16), ExpRNN(16)])
def test_norm_is_kept_without_input(cell):
    params, carry = start(cell, rows=3)
    params = params | {"bias": jnp.zeros_like(params["bias"])}
    carry = carry + normal(0, *carry.shape) * (1 + 2j if cell == UnitaryRNN(16) else 1)
    x = jnp.zeros((1000, 3, I))
    with jax.enable_x64(True):  # in single precision, a thousand roundings
        inputs = cast((params, carry, x), "float64")
        last, y = run(Scan(), cell, *inputs)
    length = np.linalg.norm(carry, axis=-1)
    near(np.linalg.norm(y, axis=-1), np.broadcast_to(length, (1000, 3)), 1e-5)
    near(np.linalg.norm(last, axis=-1), length, 1e-5)


@pytest.mark.parametrize("cell", [UnitaryRNN(32), ExpRNN(32), ExpRNN(7), ExpRNN(1)])
def test_the_matrix_keeps_the_norm_after_training_too(cell):
    params, _ = start(cell)
    moved = jax.tree.map(lambda a: a + normal(1, *a.shape), params)
    for p in (params, moved):
        r = np.asarray(cell.prepare(p)["recurrent"])
        near(r @ r.conj().T, np.eye(len(r)), 1e-5)


def test_permutation_is_the_same_for_all_and_factors_reach_every_unit():
    params, _ = start(UnitaryRNN(H))
    r = UnitaryRNN(H).prepare(params)["recurrent"]
    near(r, unitary_matrix(jax.tree.map(np.asarray, params)).T, 1e-5)
    assert np.abs(r).min() > 1e-3


@pytest.mark.parametrize("cell", [UnitaryRNN(H), ExpRNN(H)])
def test_gradient_at_zero_is_finite(cell):
    params, carry = start(cell)

    def loss(params, x):
        return jnp.sum(Deferred()(cell, params, carry, x)[1] ** 2)

    slopes = jax.jit(jax.grad(loss, (0, 1)))(params, jnp.zeros((T, B, I)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_initial_rotations_turn_by_any_angle():
    skew = np.asarray(ExpRNN(1000).init(jax.random.key(0), I)["skew"])
    angles = skew[skew != 0]
    assert angles.size == 500
    quarters = np.quantile(angles, [0, 0.25, 0.5, 0.75, 1]) / np.pi
    np.testing.assert_allclose(quarters, [-1, -0.5, 0, 0.5, 1], atol=0.1)
    params, _ = start(ExpRNN(7))
    r = np.asarray(ExpRNN(7).prepare(params)["recurrent"])
    angles = np.asarray(params["skew"])[[0, 11, 18]]  # A[0, 1], A[2, 3], A[4, 5]
    wanted = np.eye(7)
    for first, angle in zip((0, 2, 4), angles, strict=True):
        turn = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        wanted[first : first + 2, first : first + 2] = turn
    near(r, wanted, 1e-5)


def test_half_precision_is_orthogonal_to_its_own_rounding():
    cell = ExpRNN(32)
    params = cast(start(cell)[0], jnp.bfloat16)
    r = cell.prepare(params)["recurrent"]
    assert r.dtype == jnp.bfloat16
    r = np.asarray(r, np.float64)
    near(r @ r.T, np.eye(32), 2e-2)


def test_two_half_gaps_equal_a_whole_one():
    cell = CTRNN(H)
    params = {
        "kernel": jnp.zeros((I, H)),
        "recurrent": jnp.zeros((H, H)),
        "bias": jnp.zeros(H),
        "log_tau": normal(0, H),
    }
    x, carry = normal(1, 2, B, I), normal(2, B, H)
    half, _ = run(Scan(), cell, params, carry, Timed(x, jnp.full((2, B, 1), 0.6)))
    whole, _ = run(Scan(), cell, params, carry, Timed(x[:1], jnp.full((1, B, 1), 1.2)))
    near(half, whole, 1e-6)
    near(whole, carry * np.exp(-1.2 / np.exp(params["log_tau"])), 1e-6)


def test_gaps_are_one_unless_given():
    cell, x = CTRNN(H), normal(0, T, B, I)
    params, carry = start(cell)
    plain = run(Scan(), cell, params, carry, x)
    near(plain, run(Scan(), cell, params, carry, Timed(x, jnp.ones((T, B, 1)))), 1e-6)
    none, _ = run(Scan(), cell, params, carry + 0.5, Timed(x, jnp.zeros((T, B, 1))))
    near(none, carry + 0.5, 1e-6)


@pytest.mark.parametrize("shape", [(B,), (B, I), (1,)])
def test_bad_gap_is_named(shape):
    params, _ = start(CTRNN(H))
    with pytest.raises(ValueError, match=r"CTRNN needs a gap.*Timed\(x, gap"):
        CTRNN(H).project(params, Timed(jnp.zeros((B, I)), jnp.zeros(shape)))


@pytest.mark.parametrize("size", [(5,), (2, 3), (2, 3, 2)])
def test_a_window_of_one_point_is_a_gru_at_each(size):
    cell, alone = ConvGRU(H, size=size, window=1), GRUBefore(H)
    params, _ = start(alone)
    axes = (None,) * len(size)
    windows = {k: v if v.ndim == 1 else v[axes] for k, v in params.items()}
    x, carry = normal(0, 3, B, *size, I), normal(1, B, *size, H)
    near(
        run(Scan(), cell, windows, carry, x), run(Scan(), alone, params, carry, x), 1e-5
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: AntisymmetricRNN(H, step_size=0.0), "AntisymmetricRNN.*step_size"),
        (lambda: AntisymmetricRNN(H, diffusion=-1.0), "diffusion.*-1.0.*0.01"),
        (lambda: GatedAntisymmetricRNN(H, step_size="1"), "Gated.*step_size.*'1'.*0.1"),
        (lambda: GatedAntisymmetricRNN(H, diffusion=float("nan")), "diffusion.*nan"),
        (lambda: CoRNN(H, step_size=float("inf")), "CoRNN.*step_size.*inf.*0.05"),
        (lambda: CoRNN(H, frequency=0.0), "frequency.*above 0.*2.7"),
        (lambda: CoRNN(H, damping=-0.5), "damping.*0 or more.*4.7"),
        (lambda: LEM(H, step_size=True), "LEM.*step_size.*True.*1.0"),
        (lambda: UnitaryRNN(5), "even.*5.*6"),
        (lambda: UnitaryRNN(0), "UnitaryRNN.*features.*0"),
        (lambda: ExpRNN(2.5), "ExpRNN.*features.*2.5"),
        (lambda: CTRNN(-1), "CTRNN.*features.*-1"),
        (lambda: GRUD(H, inputs=0), "GRUD.*inputs.*0"),
        (lambda: GRUD(True, inputs=I), "GRUD.*features.*True"),
        (lambda: BatchNormLSTM(0), "BatchNormLSTM.*features.*0"),
        (lambda: ConvGRU(H, size=(4, 0)), "ConvGRU needs size"),
        (lambda: ConvGRU(H, size=(4,), window=4), "ConvGRU.*window.*4"),
    ],
)
def test_bad_hyperparameters_are_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()
