"""A diagonal state space in continuous time, held still within a step."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.cell import Params
from rnnlab.cells.linear import Diagonal, DiagonalInput
from rnnlab.cells.precision import wide

MOST = 2048  # units whose eigenvalues are found in a minute


@dataclasses.dataclass(frozen=True)
class S5(Diagonal):
    """Simplified state space layer: one system for all inputs, zero-order hold.

    a = exp(lambda * step), lambda = -exp(log_decay) + i frequency
    h_t = a * h_{t-1} + (a - 1) / lambda * (B x_t);  y_t = 2 Re(C h_t) + D x_t

    Of each pair of conjugate units one is kept; the 2 stands for the other. The order
    of B and C is that of `Diagonal`; D is a matrix.

    Attributes:
        features: H, the number of complex units, and of outputs.
        shortest: the least step at the start.
        longest: the greatest step at the start.

    References:
        Smith, Warrington, Linderman, Simplified state space layers for sequence
        modeling, 2023, https://arxiv.org/abs/2208.04933
    """

    shortest: float = 0.001
    longest: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.shortest <= self.longest < math.inf:
            raise ValueError(
                f"S5 needs 0 < shortest <= longest, got shortest={self.shortest!r} and"
                f" longest={self.longest!r}; leave them out for 0.001 and 0.1."
            )
        if self.features > MOST:
            raise ValueError(
                f"S5 needs features of at most {MOST}, since its start takes all"
                f" eigenvalues of a matrix of twice the size, got {self.features};"
                f" stack layers instead."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns log_decay, frequency, log_step [H], kernel, readout, skip.

        lambda are the eigenvalues of HiPPO-N of size 2H above the real axis, steps
        log-uniform. `kernel` [I, 2H] and `readout` [2H, H] are normal: what the
        eigenvectors make of real B and C of variances 1 / I and 1 / 2H.
        """
        step, b, c, d = jax.random.split(key, 4)
        units = self.features
        low, high = math.log(self.shortest), math.log(self.longest)
        return {
            "log_decay": jnp.full(units, math.log(0.5)),
            "frequency": jnp.asarray(hippo_frequencies(units), jnp.result_type(float)),
            "log_step": jax.random.uniform(step, (units,), minval=low, maxval=high),
            "kernel": jax.random.normal(b, (in_features, 2 * units))
            / math.sqrt(2 * in_features),
            "readout": jax.random.normal(c, (2 * units, units)) / math.sqrt(4 * units),
            "skip": jax.random.normal(d, (in_features, units)) / math.sqrt(in_features),
        }

    def project(self, params: Params, x: jax.Array) -> DiagonalInput:
        """Returns (a - 1) / lambda * B x and D x, [..., H] each."""
        real, imaginary = jnp.split(x @ params["kernel"], 2, axis=-1)
        eigenvalues, moved = _continuous(params)
        gain = jnp.expm1(moved) / eigenvalues
        state = gain * jax.lax.complex(wide(real), wide(imaginary))
        return DiagonalInput(state, x @ params["skip"])

    def coefficients(self, params: Params, u: Any) -> tuple[jax.Array, jax.Array]:
        """Returns `a` for each row, and (a - 1) / lambda * B x, [..., H] each."""
        _, moved = _continuous(params)
        return jnp.broadcast_to(jnp.exp(moved), u.state.shape), u.state

    def readout(self, params: Params, h: jax.Array, u: DiagonalInput) -> jax.Array:
        """Returns 2 Re(C h) + D x, [..., H]."""
        return super().readout(params, 2 * h, u)


def _continuous(params):
    """Returns lambda and lambda * step, complex, [H] each."""
    real, imaginary = -jnp.exp(wide(params["log_decay"])), wide(params["frequency"])
    step = jnp.exp(wide(params["log_step"]))
    return (
        jax.lax.complex(real, imaginary),
        jax.lax.complex(real * step, imaginary * step),
    )


def hippo_frequencies(units: int) -> np.ndarray:
    """Returns the positive imaginary parts of HiPPO-N's eigenvalues, [units], rising.

    HiPPO-N, the normal part of HiPPO-LegS, of size 2 units, is -1/2 and a skew matrix,
    made here; so all real parts are -1/2.
    """
    roots = np.sqrt(2 * np.arange(2 * units) + 1)
    lower = -0.5 * np.tril(np.outer(roots, roots), -1)
    return np.linalg.eigvalsh(-1j * (lower - lower.T))[units:]
