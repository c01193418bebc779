"""Pascanu's penalty on gradients that fade or grow as they go back through time.

    omega = sum over t of (|d_t+1 J_t+1| / |d_t+1| - 1)^2,  d_t = dL/dcarry_t
    J_t = d carry_t / d carry_{t-1}

The mean over rows; d_t is what the loss owes to the carry through later steps, and a
step counts where that is not zero. `gradient` is what the paper trains with: carries
and d_t are held fixed, and only the step's own parameters move J. `exact` has the
derivative of all of it, at the price of a second one through time.

References:
    Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks,
    2013, https://arxiv.org/abs/1211.5063, equations 9 and 10
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell, Params
from rnnlab.engines import Engine
from rnnlab.engines.engine import project
from rnnlab.probes.gradients import Tapped, by_carry, differentiable, over_units
from rnnlab.wrappers.shown import shown

Loss = Callable[[Params, Any, Any], jax.Array]


def gradient(
    loss: Loss,
    weight: jax.Array | float,
    engine: Engine,
    cell: Cell[Any],
    params: Params,
    own: Callable[[Params], Params],
    carry: Any,
    x: jax.Array,
) -> tuple[jax.Array, jax.Array, Params]:
    """Returns the loss, omega, and the gradient of loss + weight * omega by params.

    Omega's part is the paper's: carries and what the loss owes to them are constants.

    Args:
        loss: from all params, the last carry and y.
        weight: of omega.
        engine: how the steps are executed.
        cell: any cell.
        params: of the whole network.
        own: picks those of the cell.
        carry: carry_0.
        x: [T, B, I].
    """
    differentiable(cell, carry)
    taps = jax.tree.map(lambda a: jnp.zeros((len(x), *a.shape), a.dtype), carry)

    def tapped_loss(params, taps):
        run = Tapped(engine, taps)
        last, (y, carries) = run(shown(cell), own(params), carry, x)
        return loss(params, last, y), carries

    (value, carries), (grads, d) = jax.value_and_grad(
        tapped_loss, (0, 1), has_aux=True
    )(params, taps)

    def penalty(params):
        return omega(cell, own(params), carry, carries, x, d)

    found, more = jax.value_and_grad(penalty)(params)
    return value, found, jax.tree.map(lambda a, b: a + weight * b, grads, more)


def exact(
    loss: Callable[[Any, Any], jax.Array],
    engine: Engine,
    cell: Cell[Any],
    params: Params,
    carry: Any,
    x: jax.Array,
) -> jax.Array:
    """Returns omega, whose derivative by params is that of all it depends on.

    Args:
        loss: from the last carry and y.
        engine: one that has second derivatives: `Scan()`.
        cell: any cell.
        params: those of the cell.
        carry: carry_0.
        x: [T, B, I].
    """
    d = by_carry(loss, engine, cell, params, carry, x)
    _, (_, carries) = engine(shown(cell), params, carry, x)
    return omega(cell, params, carry, carries, x, jax.tree.map(lambda a: a[:-1], d))


def omega(
    cell: Cell[Any], params: Params, carry: Any, carries: Any, x: jax.Array, d: Any
) -> jax.Array:
    """Returns the penalty.

    Args:
        cell: any cell.
        params: those of the cell.
        carry: carry_0, leaves [B, ...].
        carries: after each step, [T, B, ...].
        x: [T, B, I].
        d: what the loss owes to carry_0 to carry_{T-1}, [T, B, ...].
    """
    if len(x) == 1:
        return jnp.zeros(())  # there is no Jacobian to be near to one
    before = jax.tree.map(
        lambda a, b: jnp.concatenate([a[None], b[:-2]]), carry, carries
    )
    after = jax.tree.map(lambda a: a[1:], d)
    used = cell.prepare(params)
    u = project(cell, used, carry, x[:-1])
    every = jax.vmap(lambda c, u: cell.step(used, c, u)[0])  # each with its own batch
    _, pull = jax.vjp(lambda c: every(c, u), before)
    low, high = over_units(pull(after)[0]), over_units(after)
    counts = high > 0
    factor = low / jnp.where(counts, high, 1)
    return jnp.sum(jnp.where(counts, (factor - 1) ** 2, 0)) / counts.shape[1]
