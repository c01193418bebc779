"""Initial values for recurrent parameters: what `jax.nn.initializers` lacks.

The recurrent matrix of each gate is orthogonal, so that at the start a step neither
shrinks nor grows what it carries. The input matrix of each gate is Glorot uniform by
its own fan-in and fan-out, not by those of all gates laid side by side.

References:
    Saxe, McClelland, Ganguli, Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks, 2014, https://arxiv.org/abs/1312.6120
    Glorot, Bengio, Understanding the difficulty of training deep feedforward neural
    networks, 2010, https://proceedings.mlr.press/v9/glorot10a.html
"""

import jax
import jax.numpy as jnp

from rnnlab.cell import Params


def side_by_side(
    init: jax.nn.initializers.Initializer,
    key: jax.Array,
    shape: tuple[int, ...],
    count: int,
) -> jax.Array:
    """Returns `count` arrays of `shape` drawn apart and joined, [..., I, count * H].

    One after the other, also under `vmap`, and one decomposition to compile. Not a
    batch: on a CPU, jaxlib shares a batch of QR decompositions out over the threads
    that XLA computes with, and waits for them on one of these threads. As many batches
    at once as there are threads (two layers, two cores) wait for each other for ever.
    """
    draw = jax.custom_batching.sequential_vmap(lambda key: init(key, shape))
    drawn = jax.vmap(draw)(jax.random.split(key, count))
    return jnp.concatenate(list(drawn), axis=-1)


def gates(
    key: jax.Array, in_features: int, features: int, count: int
) -> dict[str, jax.Array]:
    """Returns the parameters of `count` gates of `features` units each.

    Returns:
        `kernel` [I, count * H], `recurrent` [H, count * H], `bias` [count * H] zeros.
    """
    kernel_key, recurrent_key = jax.random.split(key)
    glorot = jax.nn.initializers.glorot_uniform()
    orthogonal = jax.nn.initializers.orthogonal()
    return {
        "kernel": side_by_side(glorot, kernel_key, (in_features, features), count),
        "recurrent": side_by_side(
            orthogonal, recurrent_key, (features, features), count
        ),
        "bias": jnp.zeros(count * features),
    }


def uniform(key: jax.Array, params: Params, scale: float) -> Params:
    """Returns parameters of the same shapes, all drawn from [-scale, scale].

    What Zaremba et al. (https://arxiv.org/abs/1409.2329) and many after them do with
    every parameter, biases included.
    """
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        jax.random.uniform(k, leaf.shape, leaf.dtype, -scale, scale)
        for k, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)
