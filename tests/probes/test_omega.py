"""Pascanu's penalty is that of the Jacobians, and so are both of its gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import cast, draw_near_start, make

from rnnlab.cells import BatchNormLSTM, Elman
from rnnlab.engines import Deferred, Scan
from rnnlab.probes import omega
from rnnlab.probes.gradients import by_carry
from rnnlab.probes.jacobians import steps
from rnnlab.wrappers.shown import shown

T, B = 6, 2
NAMES = ["elman", "lstm", "gru", "lru", "rhn", "unitary"]


def case(name):
    return make(name), *cast(draw_near_start(name, T, B)[0], np.float64)


def last_output(last, y):
    return jnp.sum(jnp.sin(y[-1]))


def real(tree):
    """Returns gradients as vectors of real numbers, [T, B, N]: d by re, d by im."""
    parts = [
        part.reshape(*part.shape[:2], -1)
        for leaf in jax.tree.leaves(tree)
        for part in ((leaf.real, -leaf.imag) if jnp.iscomplexobj(leaf) else (leaf,))
    ]
    return np.concatenate(parts, axis=-1)


def by_jacobians(cell, params, carry, x):
    """Returns the penalty by its definition, with explicit matrices."""
    d = real(by_carry(last_output, Scan(), cell, params, carry, x))
    total = 0.0
    for row in range(B):
        own = jax.tree.map(lambda a, row=row: a[row], carry)
        jacobians = np.asarray(steps(cell, params, own, x[:, row]))
        for t in range(T - 1):
            after = d[t + 1, row]
            if np.any(after):
                factor = np.linalg.norm(after @ jacobians[t]) / np.linalg.norm(after)
                total += (factor - 1) ** 2
    return total / B


def found(cell, params, carry, x):
    value, penalty, grads = omega.gradient(
        lambda params, last, y: last_output(last, y),
        1.0,
        Deferred() if hasattr(cell, "recur") else Scan(),
        cell,
        params,
        lambda params: params,
        carry,
        x,
    )
    return value, penalty, grads


@pytest.mark.parametrize("name", NAMES)
def test_penalty_is_that_of_the_jacobians(name):
    with jax.enable_x64(True):
        inputs = case(name)
        wanted = by_jacobians(*inputs)
        value, penalty, _ = jax.jit(functools.partial(found, inputs[0]))(*inputs[1:])
        last, y = Scan()(*inputs)
        assert wanted > 1e-3
        np.testing.assert_allclose(penalty, wanted, rtol=1e-9)
        np.testing.assert_allclose(value, last_output(last, y), rtol=1e-12)
        exact = omega.exact(last_output, Scan(), *inputs)
        np.testing.assert_allclose(exact, wanted, rtol=1e-9)


def along(tree, direction, size):
    return jax.tree.map(lambda a, d: a + size * d, tree, direction)


def inner(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return sum(float(jnp.sum(x * y)) for x, y in pairs)


def directions(params):
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: rng.normal(size=a.shape), params)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_exact_gradient_is_the_slope(name):
    with jax.enable_x64(True):
        cell, params, carry, x = case(name)

        @jax.jit
        def penalty(params):
            return omega.exact(last_output, Scan(), cell, params, carry, x)

        way, size = directions(params), 1e-5
        slope = (
            penalty(along(params, way, size)) - penalty(along(params, way, -size))
        ) / (2 * size)
        grads = jax.jit(jax.grad(penalty))(params)
        np.testing.assert_allclose(inner(grads, way), slope, rtol=1e-5)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_papers_gradient_holds_carries_and_what_is_owed(name):
    with jax.enable_x64(True):
        cell, params, carry, x = case(name)
        _, (_, carries) = Scan()(shown(cell), params, carry, x)
        d = by_carry(last_output, Scan(), cell, params, carry, x)
        d = jax.tree.map(lambda a: a[:-1], d)

        @jax.jit
        def held(params):
            return omega.omega(cell, params, carry, carries, x, d)

        way, size = directions(params), 1e-5
        slope = (held(along(params, way, size)) - held(along(params, way, -size))) / (
            2 * size
        )
        of_loss = jax.grad(lambda p: last_output(*Scan()(cell, p, carry, x)))(params)
        _, _, grads = found(cell, params, carry, x)
        more = along(grads, of_loss, -1)
        np.testing.assert_allclose(inner(more, way), slope, rtol=1e-5)


def test_elman_by_the_papers_formula():
    """R^T diag(1 - h^2) by hand: equation 10 for a tanh network."""
    with jax.enable_x64(True):
        cell, params, carry, x = case("elman")
        assert isinstance(cell, Elman)
        _, y = Scan()(cell, params, carry, x)
        d = np.asarray(by_carry(last_output, Scan(), cell, params, carry, x))
        passed = (d[1:T] * (1 - np.asarray(y)[: T - 1] ** 2)) @ params["recurrent"].T
        factor = np.linalg.norm(passed, axis=-1) / np.linalg.norm(d[1:T], axis=-1)
        wanted = np.sum((factor - 1) ** 2) / B
        _, penalty, _ = found(cell, params, carry, x)
        np.testing.assert_allclose(penalty, wanted, rtol=1e-9)


def test_steps_count_whose_gradient_has_no_square():
    """Each Jacobian is 0.3, and 0.3^59 is 1e-31."""
    cell = Elman(4, "relu")
    params = cell.init(jax.random.key(0), 1) | {
        "recurrent": 0.3 * jnp.eye(4),
        "bias": jnp.ones(4),
    }
    carry, x = cell.initial((1,)), jnp.zeros((60, 1, 1))

    def exact(x):
        def loss(carry, y):
            return y[-1].sum()

        return omega.exact(loss, Scan(), cell, params, carry, x)

    assert exact(x) == pytest.approx(59 * 0.49, rel=1e-4)
    assert exact(x[:1]) == 0


def test_a_cell_of_rows_together_is_taken_step_by_step():
    cell = BatchNormLSTM(3)
    params = cell.init(jax.random.key(0), 2)
    carry, x = cell.initial((4,)), jax.random.normal(jax.random.key(1), (5, 4, 2))
    d = by_carry(last_output, Scan(), cell, params, carry, x)
    wanted, before = 0.0, carry
    u = cell.project(params, x)
    for t in range(4):
        _, pull = jax.vjp(lambda c, t=t: cell.step(params, c, u[t])[0], before)
        after = jax.tree.map(lambda a, t=t: a[t + 1], d)
        low, high = (
            np.sqrt(sum(np.sum(np.square(leaf), -1) for leaf in jax.tree.leaves(tree)))
            for tree in (pull(after)[0], after)
        )
        factor = low / np.where(high > 0, high, 1)
        wanted += np.sum(np.where(high > 0, (factor - 1) ** 2, 0)) / 4
        before, _ = cell.step(params, before, u[t])
    found = omega.exact(last_output, Scan(), cell, params, carry, x)
    assert wanted > 0.1 and found == pytest.approx(wanted, rel=1e-3)


def test_a_weight_of_zero_leaves_the_gradient_of_the_loss():
    cell = make("lstm")
    params, carry, x = cast(draw_near_start("lstm", T, B)[0], np.float32)

    def loss(params, last, y):
        return last_output(last, y)

    _, _, grads = omega.gradient(
        loss, 0.0, Deferred(), cell, params, lambda p: p, carry, x
    )
    wanted = jax.grad(lambda p: last_output(*Deferred()(cell, p, carry, x)))(params)
    for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_loss_that_owes_nothing_has_no_penalty():
    cell = make("elman")
    params, carry, x = cast(draw_near_start("elman", T, B)[0], np.float32)
    _, penalty, grads = omega.gradient(
        lambda params, last, y: 0.0 * jnp.sum(y),
        1.0,
        Scan(),
        cell,
        params,
        lambda p: p,
        carry,
        x,
    )
    assert penalty == 0
    assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(grads))
