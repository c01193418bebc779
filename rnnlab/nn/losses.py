"""The cross-entropy of an output layer, with its gradient in one pass."""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def cross_entropy(
    h: jax.Array, kernel: jax.Array, bias: jax.Array, targets: jax.Array
) -> jax.Array:
    """Returns -log softmax(kernel h + bias)[target], in nats.

    The gradient for the logits is the softmax less one at the target, made in one
    sweep from the logits; differentiating a gather would scatter into an array of the
    size of the logits instead.

    Args:
        h: the features, [..., H].
        kernel: the output weights, [V, H], a row a class: an embedding fits as it is.
        bias: [V].
        targets: the true classes, int [...].

    Returns:
        [...], float.
    """
    return _forward(h, kernel, bias, targets)[0]


def _forward(h, kernel, bias, targets):
    rows = h.reshape(-1, h.shape[-1])
    logits = rows @ kernel.T + bias  # [N, V]
    total = jax.nn.logsumexp(logits, axis=-1)
    true = jnp.take_along_axis(logits, targets.reshape(-1, 1), axis=-1)[:, 0]
    return (total - true).reshape(targets.shape), (rows, kernel, targets, logits, total)


def _backward(residuals, d_loss):
    rows, kernel, targets, logits, total = residuals
    classes = jnp.arange(logits.shape[-1], dtype=targets.dtype)
    softmax = jnp.exp(logits - total[:, None])
    true = targets.reshape(-1, 1) == classes
    d_logits = (softmax - true) * d_loss.reshape(-1, 1)
    d_h = (d_logits @ kernel).reshape(*targets.shape, -1)
    return d_h, d_logits.T @ rows, jnp.sum(d_logits, axis=0), None


cross_entropy.defvjp(_forward, _backward)
