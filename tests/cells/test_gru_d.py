"""GRU-D: what is not seen is made up from what was, and reaches nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import cast
from one_cell import near, normal, run, start
from sizes import H, I

from rnnlab.cells.gru_d import GRUD, GRUDCarry, Observed
from rnnlab.engines import Scan

T, B = 7, 2


GRU_D = GRUD(H, inputs=I)


def drawn_gru_d():
    params, carry = start(GRU_D)
    params = jax.tree.map(lambda a: a + 0.3 * normal(a.size, *a.shape), params)
    seen = np.random.default_rng(0).integers(0, 2, (T, B, I)).astype(np.float32)
    gap = np.random.default_rng(1).uniform(0.2, 2, (T, B, I)).astype(np.float32)
    return params, carry, Observed(normal(2, T, B, I), seen, gap)


@jax.jit
@functools.partial(jax.value_and_grad, argnums=(0, 1, 2))
def loss_gru_d(params, carry, x):
    (h, last), y = Scan()(GRU_D, params, carry, x)
    return jnp.sum(h) + jnp.sum(jnp.sin(last)) + jnp.sum(y**2)


def slopes_gru_d(*inputs):
    """Returns the loss and its gradients, in double precision."""
    with jax.enable_x64(True):
        loss, slopes = loss_gru_d(*cast(inputs, "float64"))
        return float(loss), jax.tree.map(np.asarray, slopes)


def test_what_is_not_seen_reaches_nothing():
    params, carry, x = drawn_gru_d()
    wanted, slopes = slopes_gru_d(params, carry, x)
    nan = x._replace(x=np.where(x.seen > 0, x.x, np.nan))
    found, others = slopes_gru_d(params, carry, nan)
    near((found, others), (wanted, slopes), 1e-12)
    assert not others[2].x[x.seen == 0].any() and others[2].x[x.seen == 1].all()


def test_the_mean_is_not_trained_and_all_else_is():
    """Against finite differences, with the mean held."""
    params, carry, x = jax.tree.map(np.float64, drawn_gru_d())
    slopes = slopes_gru_d(params, carry, x)[1][0]
    assert not slopes["mean"].any()
    assert all(leaf.any() for k, leaf in slopes.items() if k != "mean")
    along = {k: np.cos(np.arange(a.size)).reshape(a.shape) for k, a in params.items()}
    along["mean"][:] = 0
    more, less = (
        slopes_gru_d({k: a + e * along[k] for k, a in params.items()}, carry, x)[0]
        for e in (1e-6, -1e-6)
    )
    slope = sum(np.vdot(slopes[k], along[k]) for k in params)
    near(slope, (more - less) / 2e-6, 1e-7)


def test_decays_leave_zero():
    params, carry = start(GRU_D)
    carry = GRUDCarry(carry.h, carry.last + 1)
    slopes = slopes_gru_d(params, carry, drawn_gru_d()[2])[1][0]
    for name in ("input_decay", "input_decay_bias", "state_decay", "state_decay_bias"):
        assert not params[name].any() and slopes[name].all()


def test_a_feature_long_unseen_is_its_mean():
    params, carry, x = drawn_gru_d()
    params |= {"input_decay": jnp.ones(I), "mean": jnp.arange(float(I))}
    unseen = Observed(x.x, jnp.zeros_like(x.x), jnp.full_like(x.x, 1e4))
    u = GRU_D.project(params, unseen)
    wanted = params["mean"] @ params["kernel"][:I] + params["bias"]
    near(u.gates, jnp.broadcast_to(wanted, u.gates.shape), 1e-5)
    assert not u.share.any() and not u.fresh.any()
    carry = GRUDCarry(carry.h, carry.last + 3)
    near(run(Scan(), GRU_D, params, carry, unseen)[0].last, carry.last, 0)


def test_bad_observations_are_named():
    params, carry, x = drawn_gru_d()
    with pytest.raises(ValueError, match=r"GRUD needs x.*Observed\(x, seen, gap\)"):
        Scan()(GRU_D, params, carry, x.x)
    with pytest.raises(ValueError, match=r"needs x of 3 features, got 5.*inputs=5"):
        GRU_D.init(jax.random.key(0), 5)
    wider = jax.tree.map(lambda a: np.concatenate([a, a], -1), x)
    with pytest.raises(ValueError, match=r"needs x of 3 features, got 6.*inputs=6"):
        Scan()(GRU_D, params, carry, wider)
