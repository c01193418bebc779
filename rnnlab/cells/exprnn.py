"""A recurrence by an orthogonal matrix, the exponential of a skew-symmetric one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.cell import Params
from rnnlab.cells.dense import DenseSplit
from rnnlab.cells.precision import wide


@dataclasses.dataclass(frozen=True)
class ExpRNN(DenseSplit):
    """A state whose norm the recurrence leaves as it is.

    R = exp(A - A^T), A strictly upper triangular
    h_t = modReLU(W x_t + R h_{t-1});  modReLU(z) = sign(z) * relu(|z| + b);  y_t = h_t

    `skew` holds A row by row. R is in single precision at least while it is made.

    Attributes:
        features: H, the number of units.

    References:
        Lezcano-Casado, Martinez-Rubio, Cheap orthogonal constraints in neural
        networks, 2019, https://arxiv.org/abs/1901.08428
        Henaff, Szlam, LeCun, Recurrent orthogonal networks and long-memory tasks,
        2016, https://arxiv.org/abs/1602.06662 (the initial rotations)
    """

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], skew [H (H - 1) / 2], bias [H].

        R is made of rotations in planes of two units, by angles that are uniform on
        the circle; the kernel is He normal, the bias uniform within 0.01.
        """
        of_x, of_h, of_b = jax.random.split(key, 3)
        units = self.features
        angles = jax.random.uniform(of_h, (units // 2,), minval=-jnp.pi, maxval=jnp.pi)
        first = 2 * np.arange(units // 2)
        upper = jnp.zeros((units, units)).at[first, first + 1].set(angles)
        return {
            "kernel": jax.nn.initializers.he_normal()(of_x, (in_features, units)),
            "skew": upper[np.triu_indices(units, 1)],
            "bias": jax.random.uniform(of_b, (units,), minval=-0.01, maxval=0.01),
        }

    def prepare(self, params: Params) -> Params:
        """Returns the parameters with `recurrent`, R, [H, H]."""
        skew = params["skew"]
        upper = jnp.zeros((self.features, self.features), wide(skew).dtype)
        upper = upper.at[np.triu_indices(self.features, 1)].set(wide(skew))
        rotation = jax.scipy.linalg.expm(upper - upper.T)
        return {**params, "recurrent": rotation.astype(skew.dtype)}

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W x, [..., H]."""
        return x @ params["kernel"]

    def update(self, params, carry, u, r):
        """Returns h twice: as the carry and as the output."""
        z = u + r
        h = jnp.sign(z) * jax.nn.relu(jnp.abs(z) + params["bias"])
        return h, h
