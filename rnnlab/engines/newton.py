"""Any cell at once over time, by Newton's method on its whole trajectory.

The states z_1 to z_T solve z_t = f(z_{t-1}, u_t). From a guess of all of them, each
iteration computes what every step misses, r_t = f(z_{t-1}, u_t) - z_t, and adds to the
states the solution of the linearised recurrence

    d_t = J_t d_{t-1} + r_t,  J_t = df / dz at z_{t-1},

which an associative scan gives in the logarithm of T rounds. Whatever stands for J, the
first k states are exact after k iterations; the true J also doubles the exact digits of
all, once it is near.

References:
    Lim et al., Parallelizing non-linear sequential models over the sequence length,
    2023, https://arxiv.org/abs/2309.12252
    Gonzalez et al., Towards scalable and stable parallelization of nonlinear RNNs,
    2024, https://arxiv.org/abs/2407.19115
"""

import dataclasses
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from jax import lax

from rnnlab.cell import Cell, Params
from rnnlab.engines.engine import Carry, project, ready
from rnnlab.engines.implicit import attach
from rnnlab.engines.iterations import Iterations, Report
from rnnlab.engines.recurrences import damped, later, solved
from rnnlab.engines.rows import Rows

METHODS = ("deer", "quasi", "elk")


@dataclasses.dataclass(frozen=True)
class Newton:
    """Runs any cell in parallel over time, under every transformation of JAX.

    For long sequences and few units on hardware with much to spare. Where the cell
    forgets, the iterations are few and do not grow with T; a chaotic one takes up to T.
    What is not solved in the `iterations` allowed is computed by a scan. Under `vmap`
    that scan always runs, since both branches do.

    With N numbers in the carry of a row (an LSTM has two a unit), the methods are:

    - `deer`, the true J: the fewest iterations. It holds four to six times T B N^2
      numbers, and each iteration does work of about 4 T B N^3.
    - `quasi`, the diagonal of J, from N derivatives of all steps in turn: T B N numbers
      a few times. The larger the rest of J, the more iterations.
    - `elk`, the same in a trust region (Levenberg-Marquardt): corrections pay for their
      size, `damping` times the residual squared, 1 at most. Meant for trajectories
      where `quasi` overshoots. No first states are exact, and T iterations need not
      suffice.

    Derivatives are exact with each, in both modes and of any order. They solve the
    linear recurrence at the states found, by the same method, tolerance and limit, and
    otherwise by a scan too.

    Attributes:
        method: `deer`, `quasi` or `elk`.
        tolerance: the residual to reach, see `Report`; None for 8 roundings of 1.
        iterations: to take at most; None for T, with which `deer` and `quasi` get
            there. Some 20 bound the time that a chaotic cell may take.
        damping: for `elk` alone; None for 1.

    References:
        Yamashita, Fukushima, On the rate of convergence of the Levenberg-Marquardt
        method, 2001, https://doi.org/10.1007/978-3-7091-6217-0_18: damping by the
        residual squared.
    """

    runs: ClassVar[type[Cell[Any]]] = Cell

    method: Literal["deer", "quasi", "elk"] = "deer"
    tolerance: float | None = None
    iterations: int | None = None
    damping: float | None = None

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(
                f"Newton needs method to be one of {', '.join(METHODS)}, got"
                f" {self.method!r}; choose one of these."
            )
        if self.tolerance is not None and not self.tolerance > 0:
            raise ValueError(
                f"Newton needs a tolerance above 0, got {self.tolerance}; leave it out"
                f" for the precision of the carry."
            )
        if self.iterations is not None and self.iterations < 1:
            raise ValueError(
                f"Newton needs iterations of at least 1, got {self.iterations}; leave"
                f" it out for the length of the sequence."
            )
        if self.damping is not None and (
            self.method != "elk" or not 0 <= self.damping < float("inf")
        ):
            raise ValueError(
                f"Newton needs damping of at least 0, and with elk alone, got"
                f" {self.damping} with {self.method}; leave it out for the default."
            )

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`.

        Raises:
            TypeError: the carry holds numbers that have no derivative.
        """
        carry, y, _ = self.solve(cell, params, carry, x)
        return carry, y

    def solve(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any, Report]:
        """Returns the last carry, y [T, B, H] and how they were found.

        Raises:
            TypeError: the carry holds numbers that have no derivative.
        """
        params = ready(self, cell, params, carry, x)
        u = project(cell, params, carry, x)
        rows = Rows.of(cell, carry)
        start = rows.flat(carry)
        z, report = self._states(rows, *lax.stop_gradient((params, start, u)))
        z = attach(self._until(), self._jacobian(), rows, params, start, u, z)
        z, y = rows.steps(params, later(start, z), u)
        return rows.tree(z[-1]), y, report

    def _states(self, rows, params, start, u):
        """Returns the states after each step, [T, *batch, N], and the report."""

        def missing(z):
            return rows.steps(params, later(start, z), u)[0] - z

        def jacobian(z):
            return self._jacobian()(rows, params, later(start, z), u)

        def correction(j, r, residual):
            if self.method != "elk":
                return solved(j, r)
            damping = 1.0 if self.damping is None else self.damping
            return damped(j, r, damping * jnp.minimum(residual**2, 1))

        def in_turn():
            def step(z, u_t):
                z, _ = rows.step(params, z, u_t)
                return z, z

            return lax.scan(step, start, u)[1]

        steps = len(jax.tree.leaves(u)[0])
        guess = jnp.broadcast_to(start, (steps, *start.shape))
        return self._until()(
            missing, jacobian, correction, in_turn, guess, missing(guess), 1.0
        )

    def _jacobian(self):
        return Rows.jacobian if self.method == "deer" else Rows.diagonal

    def _until(self):
        return Iterations(self.tolerance, self.iterations)
