"""One recurrent layer and a linear output on a toy problem, as the studies train it."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from rnnlab.cell import Cell, Params
from rnnlab.engines import Engine, Scan, auto
from rnnlab.probes import omega
from rnnlab.problems import Draw, Problem
from rnnlab.training.replicas import Knobs, Learner

Init = Callable[[jax.Array, Params, Knobs], Params]


@dataclasses.dataclass(frozen=True)
class Network:
    """A cell that reads a problem, and what it says at the last steps.

    Attributes:
        cell: the layer.
        problem: what it is asked.
        rows: sequences of an update.
        engine: how steps are executed; None for what suits the cell.
    """

    cell: Cell[Any]
    problem: Problem
    rows: int
    engine: Engine | None = None

    def init(self, key: jax.Array) -> Params:
        """Returns the cell's own parameters, and a Glorot output without bias."""
        of_cell, of_output = jax.random.split(key)
        cell = self.cell.init(of_cell, self.problem.inputs)
        shape = jax.eval_shape(self._outputs, cell, self._draw_shape().x).shape
        glorot = jax.nn.initializers.glorot_uniform()
        kernel = glorot(of_output, (shape[-1], self.problem.outputs))
        return {
            "cell": cell,
            "output": {"kernel": kernel, "bias": jnp.zeros(self.problem.outputs)},
        }

    def said(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns what the network says at the last A steps, [A, B, O]."""
        return self.read(params, self._outputs(params["cell"], x))

    def loss(self, params: Params, draw: Draw) -> jax.Array:
        """Returns the problem's loss."""
        return self.problem.loss(self.said(params, draw.x), draw)

    def gradient(
        self, params: Params, key: jax.Array, knobs: Knobs
    ) -> tuple[jax.Array, Params]:
        """Returns loss and gradient on new sequences."""
        del knobs
        draw = self.problem.draw(key, self.rows)
        return jax.value_and_grad(self.loss)(params, draw)

    def gradient_with_omega(
        self, params: Params, key: jax.Array, knobs: Knobs
    ) -> tuple[jax.Array, Params]:
        """Returns the loss, and its gradient plus `omega` times that of Omega."""
        draw = self.problem.draw(key, self.rows)

        def loss(params, last, y):
            return self.problem.loss(self.read(params, y), draw)

        value, _, grads = omega.gradient(
            loss,
            knobs["omega"],
            self.runs_on(),
            self.cell,
            params,
            lambda params: params["cell"],
            self.cell.start(params["cell"], (self.rows,)),
            draw.x,
        )
        return value, grads

    def gradient_with_exact_omega(
        self, params: Params, key: jax.Array, knobs: Knobs
    ) -> tuple[jax.Array, Params]:
        """Returns the same, with the whole derivative of Omega."""
        draw = self.problem.draw(key, self.rows)
        start = self.cell.start(params["cell"], (self.rows,))

        def penalised(params):
            penalty = omega.exact(
                lambda last, y: self.problem.loss(self.read(params, y), draw),
                Scan(),
                self.cell,
                params["cell"],
                start,
                draw.x,
            )
            value = self.loss(params, draw)
            return value + knobs["omega"] * penalty, value

        (_, value), grads = jax.value_and_grad(penalised, has_aux=True)(params)
        return value, grads

    def failed(self, params: Params, key: jax.Array, rows: int) -> jax.Array:
        """Returns the share of `rows` new sequences with a wrong answer."""
        draw = self.problem.draw(key, rows)
        return jnp.mean(self.problem.failed(self.said(params, draw.x), draw))

    def runs_on(self) -> Engine:
        """Returns the engine."""
        return auto(self.cell) if self.engine is None else self.engine

    def _outputs(self, own: Params, x: jax.Array) -> jax.Array:
        """Returns what the cell puts out at all steps, [T, B, H]."""
        carry = self.cell.start(own, (x.shape[1],))
        return self.runs_on()(self.cell, own, carry, x)[1]

    def read(self, params: Params, y: jax.Array) -> jax.Array:
        """Returns what is said of the cell's outputs [T, B, H], [A, B, O]."""
        output, answers = params["output"], len(self._draw_shape().y)
        return y[-answers:] @ output["kernel"] + output["bias"]

    def _draw_shape(self) -> Draw:
        """Returns the shapes of a draw of one row."""
        return jax.eval_shape(lambda: self.problem.draw(jax.random.key(0), 1))


def learner(
    network: Network,
    optimizer: Callable[[Knobs], optax.GradientTransformation],
    init: Init | None = None,
    omega: Literal["", "paper", "exact"] = "",
    judged: int = 1000,
    measure: Callable[[Params, jax.Array, Knobs], Any] | None = None,
) -> Learner:
    """Returns what trains a network; see `rnnlab.training.replicas`.

    Args:
        network: what is trained.
        optimizer: from knobs.
        init: from a key, the network's own parameters and knobs, the first ones.
        omega: whether Pascanu's penalty is added, times the knob `omega`, and whether
            with the paper's gradient or the exact one.
        judged: sequences in a look at how many are failed.
        measure: what is recorded beside.
    """

    def begin(key, knobs):
        of_network, of_init = jax.random.split(key)
        params = network.init(of_network)
        return params if init is None else init(of_init, params, knobs)

    gradients = {
        "": network.gradient,
        "paper": network.gradient_with_omega,
        "exact": network.gradient_with_exact_omega,
    }
    return Learner(
        init=begin,
        gradient=gradients[omega],
        error=lambda params, key: network.failed(params, key, judged),
        optimizer=optimizer,
        measure=measure,
    )


def clipped_sgd(knobs: Knobs) -> optax.GradientTransformation:
    """Returns gradient descent by knobs `rate` and `clip`, a bound on the norm.

    An infinite `clip` clips nothing.
    """
    return optax.chain(
        optax.clip_by_global_norm(knobs["clip"]), optax.sgd(knobs["rate"])
    )
