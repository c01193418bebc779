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

from collections.abc import Callable

import jax
import jax.numpy as jnp

from rnnlab.cell import Params

Init = Callable[[jax.Array, tuple[int, ...]], jax.Array]


def side_by_side(
    init: Init,
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


def identity(scale: float = 1.0) -> Init:
    """Returns an initializer of square matrices: `scale` times the identity.

    References:
        Le, Jaitly, Hinton, A simple way to initialize recurrent networks of rectified
        linear units, 2015, https://arxiv.org/abs/1504.00941
    """

    def init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        del key
        rows, columns = shape
        return scale * jnp.eye(rows, columns)

    return init


def sparse(count: int = 15, radius: float = 0.95) -> Init:
    """Returns an initializer of square matrices with `count` entries a column.

    The entries are normal, their places drawn anew for each column, and the whole is
    scaled to the spectral radius `radius`: the "smart tanh" of Pascanu et al.

    References:
        Sutskever et al., On the importance of initialization and momentum in deep
        learning, 2013, https://proceedings.mlr.press/v28/sutskever13.html
        Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural
        networks, 2013, https://arxiv.org/abs/1211.5063
    """

    def init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        of_places, of_values = jax.random.split(key)
        ranks = jnp.argsort(jnp.argsort(jax.random.uniform(of_places, shape), 0), 0)
        values = jax.random.normal(of_values, shape)
        w = jnp.where(ranks < count, values, 0)
        return w * (radius / spectral_radius(w))

    return init


def spectral_radius(w: jax.Array, squarings: int = 12) -> jax.Array:
    """Returns the largest absolute eigenvalue of a matrix, [H, H], to some thousandths.

    By Gelfand's formula, |W^k|^(1/k) for k = 2^12: a few products on any device, also
    under `vmap`, where a decomposition of a general matrix is for CPUs alone.
    """

    def square(_, state):
        w, log, k = state
        norm = jnp.linalg.norm(w)
        w = w / norm
        return w @ w, log + jnp.log(norm) / k, 2 * k

    w, log, k = jax.lax.fori_loop(0, squarings, square, (w, 0.0, 1.0))
    return jnp.exp(log + jnp.log(jnp.linalg.norm(w)) / k)


def rotations(radius: float = 1.0) -> Init:
    """Returns an initializer of square matrices that turn pairs of units.

    Angles are uniform on the circle: eigenvalues on a ring of `radius`, as those of
    the LRU are at its start (https://arxiv.org/abs/2303.06349). A last unit without
    a partner is scaled by `radius` alone.
    """

    def init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        units = shape[0]
        angles = 2 * jnp.pi * jax.random.uniform(key, (units // 2,))
        first = jnp.arange(0, units - 1, 2)
        w = jnp.eye(units)
        w = w.at[first, first].set(jnp.cos(angles))
        w = w.at[first + 1, first + 1].set(jnp.cos(angles))
        w = w.at[first, first + 1].set(jnp.sin(angles))
        return radius * w.at[first + 1, first].set(-jnp.sin(angles))

    return init


def recurrent(init: Init, key: jax.Array, params: Params) -> Params:
    """Returns params whose `recurrent` [H, G * H] is drawn anew, gate by gate."""
    units, columns = params["recurrent"].shape
    drawn = side_by_side(init, key, (units, units), columns // units)
    return {**params, "recurrent": drawn}


def chrono(
    key: jax.Array, params: Params, longest: float, keep: int, write: int | None = None
) -> Params:
    """Returns params whose gates remember for times uniform in 1 to `longest` - 1.

    The bias of the gate that keeps, sigma(b) = 1 - 1 / T, is log(T - 1) for a time T
    a unit; that of the gate that writes, if there is one of its own, its negative.

    Args:
        key: draws the times.
        params: with `bias` [G * H] and `recurrent` [H, G * H].
        longest: the longest time that is of interest, in steps.
        keep: which block of the bias keeps: 1 of an LSTM (i, f, g, o) or GRU (r, z, n).
        write: which block writes: 0 of an LSTM; None for a GRU.

    References:
        Tallec, Ollivier, Can recurrent neural networks warp time?, 2018,
        https://arxiv.org/abs/1804.11188
    """
    units = params["recurrent"].shape[0]
    blocks = params["bias"].reshape(-1, units)
    b = jnp.log(jax.random.uniform(key, (units,), blocks.dtype, 1, longest - 1))
    blocks = blocks.at[keep].set(b)
    if write is not None:
        blocks = blocks.at[write].set(-b)
    return {**params, "bias": blocks.reshape(-1)}
