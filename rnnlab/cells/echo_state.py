"""A fixed random recurrent network, of which only the readout is fitted."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import tanh
from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import DenseSplit


@dataclasses.dataclass(frozen=True)
class EchoState(DenseSplit):
    """A reservoir of leaky units, whose parameters get no gradient.

    h_t = (1 - a) * h_{t-1} + a * tanh(W x_t + b + R h_{t-1});  y_t = h_t

    R is `radius` times an orthogonal matrix: `radius` is the modulus of all of its
    eigenvalues and its norm, so that below 1 the state forgets its start, whatever
    the input. (The report draws sparse matrices.) `ridge` fits what reads the states.

    Attributes:
        features: H, the number of units.
        radius: the spectral radius of R.
        leak: a, above 0 and up to 1.
        scale: W and b are uniform in [-scale, scale].

    References:
        Jaeger, The "echo state" approach to analysing and training recurrent neural
        networks, GMD report 148, 2001,
        https://www.ai.rug.nl/minds/uploads/EchoStatesTechRep.pdf
    """

    trained: ClassVar[bool] = False

    radius: float = 0.9
    leak: float = 1.0
    scale: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        checks.above_zero(self, "radius", "scale")
        if not 0 < self.leak <= 1:
            raise ValueError(
                f"EchoState needs a leak above 0 and up to 1, got {self.leak!r}; leave"
                f" it out for units that do not leak."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], recurrent [H, H], bias [H]."""
        of_x, of_h = jax.random.split(key)
        units = self.features
        zeros = {"kernel": jnp.zeros((in_features, units)), "bias": jnp.zeros(units)}
        orthogonal = jax.nn.initializers.orthogonal(self.radius)
        recurrent = initializers.side_by_side(orthogonal, of_h, (units, units), count=1)
        drawn = initializers.uniform(of_x, zeros, self.scale)
        return drawn | {"recurrent": recurrent}

    def prepare(self, params: Params) -> Params:
        """Returns the parameters without a gradient."""
        return jax.lax.stop_gradient(params)

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        h = carry + self.leak * (tanh(u + r) - carry)
        return h, h


def ridge(states: jax.Array, targets: jax.Array, penalty: float = 1e-6) -> jax.Array:
    """Returns the readout Q [H, O] for which `states @ Q` is nearest to the targets.

    It minimises |S Q - Y|^2 + penalty |Q|^2 over all rows, by the normal equations.
    For a constant term, give the states a column of ones.

    Args:
        states: S, [..., H].
        targets: Y, [..., O].
        penalty: above 0, against what the states hardly tell apart.
    """
    s, y = (a.reshape(-1, a.shape[-1]) for a in (states, targets))
    seen = jnp.matmul(s.T, s, precision="highest")
    wanted = jnp.matmul(s.T, y, precision="highest")
    regular = seen + penalty * jnp.eye(seen.shape[-1], dtype=seen.dtype)
    return jax.scipy.linalg.solve(regular, wanted, assume_a="pos")
