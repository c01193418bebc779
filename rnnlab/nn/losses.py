"""The cross-entropy of an output layer, whose logits are held once or not at all."""

import jax
import jax.numpy as jnp
from jax import lax

WHOLE = 1 << 23  # logits that are made at once: 32 MB in float32
HELD = 1 << 26  # logits that are held from forward to backward: 256 MB in float32
FEW = 8  # rows whose outer products are faster than a product of matrices
BLOCK = 1 << 21  # logits at a time where there are more than `WHOLE`: 8 MB in float32


@jax.custom_vjp
def cross_entropy(
    h: jax.Array, kernel: jax.Array, bias: jax.Array, targets: jax.Array
) -> jax.Array:
    """Returns -log softmax(kernel h + bias)[target], in nats.

    The gradient of the logits is made in one sweep from the logits: the softmax less
    one at the target. Of more than `WHOLE` logits the classes are taken a block at a
    time, so that what is read and written stays in the cache, and the logits are held
    once; of more than `HELD` no block is kept and the backward pass makes it again,
    with a third more products and the memory of a few blocks. Of fewer than `WHOLE`
    XLA, on a CPU, keeps the products beside their sums with the bias: less than blocks
    would take in a whole step (10,000 classes, 650 features: 128 MB in place of 158).

    Args:
        h: the features, [..., H].
        kernel: the output weights, [V, H], a row a class: an embedding fits as it is.
        bias: [V].
        targets: the true classes, int [...].

    Returns:
        [...], float.

    References:
        Milakov, Gimelshein, Online normalizer calculation for softmax, 2018,
        https://arxiv.org/abs/1805.02867
    """
    return _forward(h, kernel, bias, targets)[0]


def _forward(h, kernel, bias, targets):
    rows, true = h.reshape(-1, h.shape[-1]), targets.reshape(-1)  # [N, H], [N]
    chosen = jnp.sum(rows * kernel[true], axis=-1) + bias[true]
    if len(rows) * len(kernel) <= WHOLE:
        held = rows @ kernel.T + bias
        total = jax.nn.logsumexp(held, axis=-1)
    else:
        total, held = _logsumexp_by_block(rows, kernel, bias)
    loss = (total - chosen).reshape(targets.shape)
    return loss, (rows, kernel, bias, targets, total, held)


def _backward(residuals, d_loss):
    rows, kernel, bias, targets, total, held = residuals
    true, weight = targets.reshape(-1, 1), d_loss.reshape(-1, 1)

    def d_logits(logits, start):
        classes = start + jnp.arange(logits.shape[-1], dtype=true.dtype)
        return (jnp.exp(logits - total[:, None]) - (true == classes)) * weight

    def add(block, sofar):
        d_rows, d_kernel, d_bias = sofar
        part, new, start = _block(rows, kernel, block)
        again = held is None
        logits = _logits(rows, part, bias, start) if again else held[block]
        d = d_logits(logits, start)
        d_rows += d @ jnp.where(new[:, None], part, 0)
        d_kernel = lax.dynamic_update_slice_in_dim(d_kernel, d.T @ rows, start, 0)
        d_bias = lax.dynamic_update_slice_in_dim(d_bias, jnp.sum(d, 0), start, 0)
        return d_rows, d_kernel, d_bias

    if held is not None and held.ndim == 2:
        d = d_logits(held, 0)
        d_rows, d_kernel, d_bias = d @ kernel, _outer(d, rows), jnp.sum(d, axis=0)
    else:
        zeros = jnp.zeros_like(rows), jnp.zeros_like(kernel), jnp.zeros_like(bias)
        d_rows, d_kernel, d_bias = lax.fori_loop(0, _count(rows, kernel), add, zeros)
    return d_rows.reshape(*targets.shape, -1), d_kernel, d_bias, None


cross_entropy.defvjp(_forward, _backward)


def _outer(d, rows):
    """Returns d^T rows: [N, V], [N, H] -> [V, H].

    Of few rows XLA's product takes longer than a sum of outer products (V = 10,000,
    H = 650, two CPU cores: 1.7 times with 8 rows, 0.8 with 16), and what uses it must
    read it; the sum is made where it is used.
    """
    if len(rows) > FEW:
        return d.T @ rows
    d = lax.optimization_barrier(d)  # made once, and not for each of H columns
    return sum(one[:, None] * row for one, row in zip(d, rows, strict=True))


def _logsumexp_by_block(rows, kernel, bias):
    """Returns log sum exp of each row's logits, [N], and the logits if held, by block.

    The latter are [blocks, N, C], or None.
    """
    keep = len(rows) * len(kernel) <= HELD

    def add(sofar, block):
        top, total = sofar
        part, new, start = _block(rows, kernel, block)
        logits = _logits(rows, part, bias, start)
        fresh = jnp.where(new, logits, -jnp.inf)
        higher = jnp.maximum(top, jnp.max(fresh, axis=-1))
        part = jnp.sum(jnp.exp(fresh - higher[:, None]), axis=-1)
        total = total * jnp.exp(top - higher) + part
        return (higher, total), logits if keep else None

    nothing = jnp.full_like(rows[:, 0], -jnp.inf), jnp.zeros_like(rows[:, 0])
    blocks = jnp.arange(_count(rows, kernel))
    (top, total), held = lax.scan(add, nothing, blocks)
    return top + jnp.log(total), held


def _count(rows, kernel):
    """Returns the number of blocks."""
    return min(len(kernel), -(-len(rows) * len(kernel) // BLOCK))


def _block(rows, kernel, block):
    """Returns a block's weights, which of its classes are new to it, and its first.

    Blocks have the same size: the last overlaps the one before.
    """
    size = -(-len(kernel) // _count(rows, kernel))
    start = jnp.minimum(block * size, len(kernel) - size)
    part = lax.dynamic_slice_in_dim(kernel, start, size)
    return part, start + jnp.arange(size) >= block * size, start


def _logits(rows, part, bias, start):
    """Returns the logits of a block's classes, [N, C]."""
    return rows @ part.T + lax.dynamic_slice_in_dim(bias, start, len(part))
