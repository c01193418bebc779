"""The leaves of a state by name: what is stored of it, compared, and hashed."""

import hashlib
import json
import textwrap
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from rnnlab.errors import IncompatibleCheckpoint, InputError


def named(tree: Any) -> dict[str, Any]:
    """Returns the leaves by key path, such as `.params['kernel']`, in tree order.

    Raises:
        InputError: a leaf cannot be stored.
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    names = [jax.tree_util.keystr(path) for path, _ in leaves]
    return {
        name: _storable(name, leaf)
        for name, (_, leaf) in zip(names, leaves, strict=True)
    }


def _storable(name: str, leaf: Any) -> Any:
    """Returns `leaf` as orbax can restore it, or refuses it before it is saved."""
    if isinstance(leaf, np.generic):
        leaf = np.asarray(leaf)
    arrays = (jax.Array, jax.ShapeDtypeStruct, np.ndarray)
    number = isinstance(leaf, bool | int | float)
    if (isinstance(leaf, arrays) and 0 not in leaf.shape) or (
        number and (isinstance(leaf, float) or leaf.bit_length() < 64)
    ):
        return leaf
    raise InputError(
        f"A checkpoint holds arrays of 1 element or more and numbers up to 64 bits, "
        f"got {name}: {textwrap.shorten(repr(leaf), 80)}; leave it out of the state."
    )


def kind(leaf: Any) -> str:
    """Returns what must agree for a bitwise restore, such as `float32[3,4]`, `int`."""
    if isinstance(leaf, bool | int | float):
        return type(leaf).__name__
    return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"


def size(leaf: Any) -> int:
    """Returns the bytes that a leaf takes in memory."""
    if isinstance(leaf, bool | int | float):
        return 8
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    return leaf.size * leaf.dtype.itemsize


def abstract(leaf: Any) -> Any:
    """Returns what orbax restores into; a leaf without a sharding gets the default."""
    if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        place = leaf.sharding or jax.sharding.SingleDeviceSharding(jax.devices()[0])
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)
    return leaf


def compare(folder: Path, stored: dict[str, str], wanted: dict[str, str]) -> None:
    """Raises IncompatibleCheckpoint unless both have the same leaves of the same kind.

    Args:
        folder: of the checkpoint.
        stored: its leaves, by name.
        wanted: those of the model.
    """
    differing = [
        f"{name}: {stored.get(name, 'absent')} vs {wanted.get(name, 'absent')}"
        for name in {**wanted, **stored}
        if stored.get(name) != wanted.get(name)
    ]
    if differing:
        listed = textwrap.shorten("; ".join(differing), 280, placeholder=" ...")
        raise IncompatibleCheckpoint(
            f"{folder} differs from this model in {len(differing)} leaves "
            f"(checkpoint vs model: {listed}); pass the flags that it was trained "
            "with or another --workdir."
        )


def digest(tree: Any) -> str:
    """Returns the SHA-256 over names, kinds and bits of all leaves, in hexadecimal.

    Where leaves lie on several processes' devices, all of them must come here.
    """
    found = hashlib.sha256()
    for name, leaf in named(tree).items():
        found.update(json.dumps([name, kind(leaf)]).encode())
        if isinstance(leaf, bool | int | float):
            found.update(repr(leaf).encode())
            continue
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        found.update(np.ascontiguousarray(_fetched(leaf)).tobytes())
    return found.hexdigest()


def _fetched(leaf: Any) -> np.ndarray:
    """Returns all of a leaf, also of what lies with other processes."""
    if isinstance(leaf, jax.Array) and not (
        leaf.is_fully_addressable or leaf.is_fully_replicated
    ):
        return multihost_utils.process_allgather(leaf, tiled=True)
    return jax.device_get(leaf)
