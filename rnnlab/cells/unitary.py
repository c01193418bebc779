"""A recurrence by a unitary matrix, made of factors that are cheap to train."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.cell import Params, SplitCell
from rnnlab.cells import checks
from rnnlab.cells.precision import complex_zeros, wide

EPSILON = 1e-5  # added to a squared modulus


@dataclasses.dataclass(frozen=True)
class UnitaryRNN(SplitCell[jax.Array]):
    """n = H / 2 complex units, whose norm the recurrence leaves as it is.

    W = D_3 R_2 F^-1 D_2 P R_1 F D_1
    h_t = modReLU(V x_t + W h_{t-1});  y_t = [Re h_t, Im h_t]
    modReLU(z) = z * relu(|z| + b) / |z|,  |z| = sqrt(Re(z)^2 + Im(z)^2 + 1e-5)

    D_k is diagonal, exp(i angles); R_k a reflection, I - 2 v v* / |v|^2; F the Fourier
    transform; P a permutation that is the same for all cells of a size. In the
    columns of `kernel` (V) and of `reflections`, real parts stand before imaginary.

    Attributes:
        features: H, the outputs: twice the number of units.

    References:
        Arjovsky, Shah, Bengio, Unitary evolution recurrent neural networks, 2016,
        https://arxiv.org/abs/1511.06464
    """

    features: int

    def __post_init__(self):
        checks.positive(self, "features")
        if self.features % 2:
            raise ValueError(
                f"UnitaryRNN needs an even number of features, a real and an imaginary"
                f" one for each unit, got {self.features};"
                f" pass UnitaryRNN({self.features + 1}), say."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], angles [3, n], reflections [2, H], bias [n].

        The kernel is Glorot uniform, angles are uniform on the circle, reflections
        within 1; the bias is zero.
        """
        of_x, of_d, of_r = jax.random.split(key, 3)
        glorot = jax.nn.initializers.glorot_uniform()
        units = self.features // 2
        return {
            "kernel": glorot(of_x, (in_features, self.features)),
            "angles": jnp.pi * jax.random.uniform(of_d, (3, units), minval=-1.0),
            "reflections": jax.random.uniform(of_r, (2, self.features), minval=-1.0),
            "bias": jnp.zeros(units),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Returns zeros, [*batch, n], complex: of double precision for float64."""
        return complex_zeros((*batch, self.features // 2), dtype)

    def prepare(self, params: Params) -> Params:
        """Returns the parameters with `recurrent`, W turned for rows, [n, n]."""
        units = self.features // 2
        angles, v = wide(params["angles"]), wide(params["reflections"])
        d_1, d_2, d_3 = jax.lax.complex(jnp.cos(angles), jnp.sin(angles))
        v = v / jnp.sqrt(jnp.sum(v**2, axis=-1, keepdims=True))
        v_1, v_2 = jax.lax.complex(*jnp.split(v, 2, axis=-1))

        def reflected(rows, v):
            return rows - 2 * (rows @ v.conj())[:, None] * v

        order = np.random.default_rng(0).permutation(units)
        rows = reflected(jnp.fft.fft(jnp.diag(d_1), norm="ortho"), v_1)
        rows = jnp.fft.ifft(rows[:, order] * d_2, norm="ortho")
        return {**params, "recurrent": reflected(rows, v_2) * d_3}

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns V x, real parts before imaginary ones, [..., H]."""
        return x @ params["kernel"]

    def recur(self, params: Params, carry: jax.Array) -> jax.Array:
        """Returns W h, [..., n]."""
        return carry @ params["recurrent"]

    def update(self, params, carry, u, r):
        """Returns h, complex, and its parts side by side."""
        z = r + jax.lax.complex(*jnp.split(wide(u), 2, axis=-1))
        modulus = jnp.sqrt(z.real**2 + z.imag**2 + EPSILON)
        scale = jax.nn.relu(modulus + wide(params["bias"])) / modulus
        real, imaginary = scale * z.real, scale * z.imag
        y = jnp.concatenate([real, imaginary], axis=-1).astype(u.dtype)
        return jax.lax.complex(real, imaginary), y
