"""Saves a sharded state, or restores it on other devices and prints its hash."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.leaves import digest


def state():
    """Returns matrices that lie on all devices, by rows, by columns and whole."""
    mesh = jax.make_mesh((len(jax.devices()),), ("d",))
    key = jax.random.key(0)
    values = jax.random.normal(key, (3, 64, 64))
    specs = (P("d"), P(None, "d"), P())
    return {
        "key": key,
        "step": jnp.int32(7),
        "arrays": [
            jax.device_put(value, NamedSharding(mesh, spec))
            for value, spec in zip(values, specs, strict=True)
        ],
    }


def main():
    """`save FOLDER` or `restore FOLDER`."""
    what, folder = sys.argv[1:]
    with Checkpoints(Path(folder), 2) as checkpoints:
        if what == "save":
            checkpoints.save(1, state(), {})
            checkpoints.wait()
            print(digest(state()))
        else:
            like = state()
            restored = checkpoints.restore(like)
            places = jax.tree.map(lambda x: x.sharding, (like, restored))
            assert places[0] == places[1]
            print(digest(restored))


if __name__ == "__main__":
    main()
