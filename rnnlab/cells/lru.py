"""A linear recurrence with complex eigenvalues inside the unit circle."""

import dataclasses

import jax
import jax.numpy as jnp

from rnnlab.cell import Params
from rnnlab.cells.linear import Diagonal, DiagonalInput
from rnnlab.cells.precision import wide


@dataclasses.dataclass(frozen=True)
class LRU(Diagonal):
    """Linear recurrent unit: a complex state, diagonal in its recurrence.

    lambda = exp(-exp(nu) + i exp(theta));  gamma = sqrt(1 - |lambda|^2) at the start
    h_t = lambda * h_{t-1} + exp(log gamma) * (B x_t);  y_t = Re(C h_t) + D x_t

    `kernel` is B and `readout` is C, laid out as `Diagonal` says.

    Attributes:
        features: H, the number of complex units, and of outputs.
        smallest: the least |lambda| at the start.
        largest: the greatest |lambda| at the start.
        angle: the greatest argument of lambda at the start, in radians.

    References:
        Orvieto et al., Resurrecting recurrent neural networks for long sequences,
        2023, https://arxiv.org/abs/2303.06349
    """

    smallest: float = 0.0
    largest: float = 1.0
    angle: float = 2 * jnp.pi

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.smallest < self.largest <= 1:
            raise ValueError(
                f"LRU needs 0 <= smallest < largest <= 1, got smallest="
                f"{self.smallest!r} and largest={self.largest!r}; both are moduli of"
                f" eigenvalues, 0.9 and 0.999, say."
            )
        if not 0 < self.angle <= 2 * jnp.pi:
            raise ValueError(
                f"LRU needs an angle above 0 and up to 2 pi, got {self.angle!r};"
                f" leave it out for the whole circle."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns nu, theta, log_gamma [H], kernel [I, 2H], readout [2H, H], skip.

        Eigenvalues are uniform on the ring between `smallest` and `largest`, B has
        the variance 1 / 2I, C 1 / H, D (`skip` [I, H]) 1 / I.
        """
        radius, angle, b, c, d = jax.random.split(key, 5)
        units = self.features
        low, high = self.smallest**2, self.largest**2
        squared = jax.random.uniform(radius, (units,), minval=low, maxval=high)
        squared = jnp.clip(squared, 1e-12, 1 - 1e-6)  # nu and gamma stay finite
        theta = self.angle * jax.random.uniform(angle, (units,), minval=1e-6)
        return {
            "nu": jnp.log(-0.5 * jnp.log(squared)),
            "theta": jnp.log(theta),
            "log_gamma": 0.5 * jnp.log1p(-squared),
            "kernel": jax.random.normal(b, (in_features, 2 * units))
            / jnp.sqrt(2 * in_features),
            "readout": jax.random.normal(c, (2 * units, units)) / jnp.sqrt(units),
            "skip": jax.random.normal(d, (in_features, units)) / jnp.sqrt(in_features),
        }

    def project(self, params: Params, x: jax.Array) -> DiagonalInput:
        """Returns gamma B x and D x, [..., H] each."""
        scale = jnp.exp(params["log_gamma"])
        real, imaginary = jnp.split(x @ params["kernel"], 2, axis=-1)
        state = jax.lax.complex(wide(scale * real), wide(scale * imaginary))
        return DiagonalInput(state, x @ params["skip"])

    def coefficients(
        self, params: Params, u: DiagonalInput
    ) -> tuple[jax.Array, jax.Array]:
        """Returns lambda for each row, and gamma B x, [..., H] each."""
        nu, theta = wide(params["nu"]), wide(params["theta"])
        modulus, angle = jnp.exp(-jnp.exp(nu)), jnp.exp(theta)
        a = jax.lax.complex(modulus * jnp.cos(angle), modulus * jnp.sin(angle))
        return jnp.broadcast_to(a, u.state.shape), u.state
