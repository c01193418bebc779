"""The last inputs side by side: what a cell sees that reads more than one at a step.

x = windows(x, 2)
carry, y = Associative()(cell, params, carry, x)
"""

import jax
import jax.numpy as jnp


def windows(x: jax.Array, size: int, before: jax.Array | None = None) -> jax.Array:
    """Returns each step's last `size` inputs, the newest last: [T, B, size * I].

    Args:
        x: [T, B, I], any number of batch axes.
        size: how many inputs, that of the step itself among them; 1 gives x.
        before: [size - 1, B, I], the inputs before the first, as the end of the
            segment before this one has them; None for zeros.

    Raises:
        ValueError: a size below 1; `before` of another shape or dtype.
    """
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ValueError(
            f"windows needs size to be a positive int, got {size!r};"
            f" pass windows(x, 2), say."
        )
    shape = (size - 1, *x.shape[1:])
    if before is None:
        before = jnp.zeros(shape, x.dtype)
    if before.shape != shape or before.dtype != x.dtype:
        raise ValueError(
            f"windows of {size} inputs need before to be {x.dtype}{list(shape)}, got"
            f" {before.dtype}{list(before.shape)}; pass the last {size - 1} steps of"
            f" the segment before, or leave it out for zeros."
        )
    steps, x = len(x), jnp.concatenate([before, x])
    return jnp.concatenate([x[t : t + steps] for t in range(size)], axis=-1)
