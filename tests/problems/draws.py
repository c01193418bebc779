"""One of each problem, and what is drawn of it, once for all tests."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems import PROBLEMS

LENGTH, ROWS = 12, 4000
ARGUMENTS = {
    "adding": {"steps": 10},
    "copy": {"lag": 4, "items": 3},
    "delayed_recall": {"steps": 8, "lag": 5},
    "digits": {},
    "five_bit": {"lag": 3},
    "multiplication": {"steps": 10},
    "parity": {"steps": 6},
    "random_permutation": {"steps": 7, "alphabet": 9},
    "selective_copy": {"lag": 7, "items": 3},
    "temporal_order": {"steps": 20},
    "twenty_bit": {"lag": 2},
    "variable_copy": {"lag": 4, "items": 3},
}
ALL = {
    name: make(**ARGUMENTS.get(name, {"length": LENGTH}))
    for name, make in PROBLEMS.items()
}
SEEDS = (0, 1, 0)


@functools.cache
def samples(problem):
    """Returns draws in NumPy, side by side, by `SEEDS`."""
    keys = jnp.stack([jax.random.key(seed) for seed in SEEDS])
    draw = jax.jit(jax.vmap(lambda key: problem.draw(key, ROWS)))
    return jax.tree.map(np.asarray, draw(keys))


def sample(problem):
    """Returns the first of these."""
    return jax.tree.map(lambda leaf: leaf[0], samples(problem))
