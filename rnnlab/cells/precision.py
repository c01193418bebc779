"""Precisions that complex numbers, decompositions and transforms have."""

from typing import Any

import jax
import jax.numpy as jnp


def wide(a: jax.Array) -> jax.Array:
    """Returns `a`, real, in single precision at least."""
    return a.astype(jnp.float32) if jnp.finfo(a.dtype).bits < 32 else a


def complex_zeros(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Returns complex zeros: of double precision for float64, else of single."""
    double = jnp.finfo(dtype).bits == 64
    return jnp.zeros(shape, jnp.complex128 if double else jnp.complex64)
