"""The gradient by the carry equals that of the rest of the sequence, taken alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NAMES, cast, draw, make, weighed
from one_cell import near

from rnnlab.cells import Elman, MinGRU
from rnnlab.engines import Associative, Chunked, Deferred, Newton, Remat, Scan
from rnnlab.probes.gradients import Tapped, by_carry, by_lag, memory, rate
from rnnlab.wrappers import Marked, recurrent_dropout, with_noise, zoneout

T, B = 5, 2
ENGINES = {"lru": Associative(), "lstm": Deferred(), "gru": Deferred()}
VALID = np.array([[1, 1], [1, 0], [1, 1], [0, 1], [1, 1]], bool)
RESET = np.array([[0, 0], [0, 0], [1, 0], [0, 0], [0, 1]], bool)
NO_MARKS = np.ones((T, B), bool), np.zeros((T, B), bool)


def by_row(where, yes, no):
    def leaf(yes, no):
        return np.where(where.reshape(B, *(1,) * (yes.ndim - 1)), yes, no)

    return jax.tree.map(leaf, yes, no)


def step_by_step(cell, inputs, weights, valid, reset):
    """Returns dL/dcarry_t for each t: the definition, backwards from the end."""
    params, carry, x = inputs
    d, of_y = weights
    own = cell.prepare(params)

    def ahead(carry, x_t):
        return cell.step(own, carry, cell.project(own, x_t))

    @jax.jit
    def back(carry, x_t, d, w):
        return jax.vjp(lambda carry: ahead(carry, x_t), carry)[1]((d, w))[0]

    met, zero = [], jax.tree.map(np.zeros_like, carry)
    for t in range(T):
        x_t = jax.tree.map(lambda a, t=t: a[t], x)
        carry = by_row(reset[t], zero, carry)
        met.append((carry, x_t))
        carry = by_row(valid[t], jax.jit(ahead)(carry, x_t)[0], carry)
    found = [d]
    for t in reversed(range(T)):
        d = by_row(valid[t], back(*met[t], d, of_y[t]), d)
        d = by_row(reset[t], zero, d)
        found.insert(0, d)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *found)


def checked(engine, cell, inputs, weights, valid_reset=NO_MARKS):
    def loss(last, y):
        return weighed((last, y), weights)

    valid, reset = valid_reset
    marks = {} if valid_reset is NO_MARKS else {"valid": valid, "reset": reset}
    marks = jax.tree.map(jnp.array, marks)
    found = jax.jit(functools.partial(by_carry, loss, engine, cell))(*inputs, **marks)
    near(found, step_by_step(cell, inputs, weights, valid, reset), 1e-10)
    assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(found))


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_gradient_of_what_remains(name):
    with jax.enable_x64(True):
        inputs, weights = cast(draw(name, T, (B,)), "float64")
        checked(ENGINES.get(name, Scan()), make(name), inputs, weights)


@pytest.mark.parametrize("name", ["lstm", "lru"])
def test_nothing_passes_a_reset_and_all_passes_what_does_not_count(name):
    with jax.enable_x64(True):
        inputs, weights = cast(draw(name, T, (B,)), "float64")
        checked(ENGINES[name], make(name), inputs, weights, (VALID, RESET))


def test_wrapped_cells_are_tapped_from_outside():
    cell = zoneout(recurrent_dropout(make("lstm"), 0.3), 0.3)
    with jax.enable_x64(True):
        (params, carry, x), weights = cast(draw("lstm", T, (B,)), "float64")
        x = with_noise(cell, jax.random.key(0), carry, x, T)
        assert isinstance(x, Marked)
        checked(Deferred(), cell, (params, carry, x), weights)


@pytest.mark.parametrize(
    "engine", [Remat(2), Chunked(2), Associative(), Newton()], ids=str
)
def test_every_engine_gives_the_same(engine):
    with jax.enable_x64(True):
        inputs, weights = cast(draw("mingru", T, (B,)), "float64")

        def found(engine):
            def loss(last, y):
                return weighed((last, y), weights)

            return by_carry(loss, engine, make("mingru"), *inputs)

        near(*[jax.jit(found, static_argnums=0)(e) for e in (engine, Scan())], 1e-10)


def test_norms_are_by_lag_and_their_rate_is_the_factor():
    """Without input and bias z is 1/2, and a state halves at each step."""
    cell, x = MinGRU(4), jnp.zeros((20, B, 3))
    params = jax.tree.map(jnp.zeros_like, cell.init(jax.random.key(0), 3))
    found = by_carry(
        lambda carry, y: y[-1].sum(), Scan(), cell, params, cell.initial((B,)), x
    )
    norms = by_lag(found)
    assert norms.shape == (21, B)
    near(norms[1:], 2.0 * np.tile(0.5 ** np.arange(1, 21)[:, None], B), 1e-6, 0)
    near(norms[0], np.zeros(B))  # what y_T itself says is not in it
    near(rate(norms), np.full(B, 0.5), 1e-6)


def test_norms_of_what_has_no_square():
    size = np.array([1e-30, 3e-20, 0, np.nan, np.inf, 1e30])[:, None, None]
    found = by_lag({"a": jnp.float32(3 * size), "b": jnp.float32(4 * size)})
    near(found[::-1], 5 * size[..., 0], 1e-6)


def test_a_gradient_that_fades_is_seen_to_the_end():
    cell = Elman(4, "relu")
    params = cell.init(jax.random.key(0), 1) | {
        "recurrent": 0.1 * jnp.eye(4),
        "bias": jnp.ones(4),
    }
    carry, x = cell.initial((1,)), jnp.zeros((35, 1, 1))
    found = by_carry(lambda carry, y: y[-1].sum(), Scan(), cell, params, carry, x)
    norms = by_lag(found)[1:, 0]
    near(norms, 2 * 0.1 ** np.arange(1, 36), 1e-4, 0)
    near(rate(norms), 0.1, 1e-4)


def test_a_rate_leaves_out_what_has_no_logarithm():
    norms = jnp.array([[8.0, 0.0], [jnp.nan, 0.0], [2.0, 1.0], [0.0, 0.0], [0.5, 0.0]])
    assert rate(norms)[0] == pytest.approx(0.5) and np.isnan(rate(norms)[1])


def test_the_rate_of_half_precision_is_as_exact_as_its_norms():
    norms = jnp.asarray(0.99 ** np.arange(1000.0), "bfloat16")
    near(rate(norms), 0.99, 1e-5)
    near(memory(norms), memory(norms.astype("float32")), 1e-6)
    assert rate(norms).dtype == memory(norms).dtype == "float32"


def test_norms_keep_the_batch_axes_that_are_asked_for():
    gradients = {"a": np.ones((4, 2, 3, 5)), "b": 2 * np.ones((4, 2, 3, 1))}
    for axes, size in ((0, 6 * 9), (1, 3 * 9), (2, 9)):
        found = by_lag(gradients, axes)
        assert found.shape == (4, 2, 3)[: 1 + axes]
        near(found, np.full(found.shape, np.sqrt(size)))


DECAY = 0.8 ** np.arange(40.0)
DIP = np.where(np.arange(40) == 1, 0.01, DECAY)


@pytest.mark.parametrize(
    ("norms", "wanted"),
    [
        (DECAY, -1 / np.log(0.8)),
        (np.concatenate([np.zeros(2), 3 * DECAY]), -1 / np.log(0.8)),
        (DIP, -1 / np.log(0.8)),  # what has come back was not gone
        (np.array([1.0, 0.5, 0.0, 0.0]), 1.0),
        (np.ones(30), 29),
        (1.1 ** np.arange(30.0), 29),
        (np.zeros(5), np.nan),
    ],
)
def test_memory_ends_where_norms_fall_to_one_in_e(norms, wanted):
    near(jax.jit(memory)(jnp.array(norms)), wanted, 1e-5)
    near(memory(jnp.stack([norms, norms], 1)), np.full(2, wanted), 1e-5)


def test_taps_are_of_one_call():
    engine = Tapped(Scan(), jnp.zeros((T, B, 4)))
    assert engine == engine and engine != Tapped(Scan(), engine.taps)
    assert hash(engine) is not None


def test_seeds_by_vmap():
    cell, x = Elman(4), jax.random.normal(jax.random.key(1), (T, B, 3))

    @jax.jit
    def norms(key):
        params = cell.init(key, 3)
        return by_lag(
            by_carry(
                lambda carry, y: carry.sum(),
                Scan(),
                cell,
                params,
                cell.initial((B,)),
                x,
            )
        )

    keys = jax.random.split(jax.random.key(0), 3)
    near(jax.jit(jax.vmap(norms))(keys), np.stack([norms(key) for key in keys]), 1e-5)


@dataclasses.dataclass(frozen=True)
class Counting(Elman):
    """An Elman network whose carry is a number of steps."""

    def initial(self, batch, dtype=jnp.float32):
        return jnp.zeros((*batch, self.features), jnp.int32)


def test_a_carry_without_derivative_is_named():
    cell = Counting(4)
    with pytest.raises(TypeError, match="real or complex numbers.*int32.*Counting"):
        by_carry(
            lambda carry, y: y.sum(),
            Scan(),
            cell,
            {},
            cell.initial((B,)),
            jnp.zeros((T, B, 3)),
        )
