"""Parameters in files that other libraries read: safetensors, and no pickle.

    save(path, params)
    params = load(path, like=jax.eval_shape(lambda: cell.init(key, in_features)))

A leaf is named by its place, `layers/0/kernel` for params["layers"][0]["kernel"].
Needs the extra `interop`.

References:
    https://huggingface.co/docs/safetensors
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from rnnlab.errors import InputError
from rnnlab.files import read, write_atomic
from rnnlab.interop import names

_HEADER = 1 << 24  # bytes of names and shapes


def save(path: Path, params: Any) -> None:
    """Writes the leaves of params to a file, which replaces the old one at once.

    Raises:
        StorageError: it cannot be written; the old file is left as it was.
        ValueError: a dtype that NumPy has not, which could not be read again.
    """
    from safetensors import numpy

    leaves = {name: np.asarray(leaf) for name, leaf in names.flatten(params).items()}
    for name, leaf in leaves.items():
        if not np.issubdtype(leaf.dtype, np.floating):
            raise ValueError(
                f"save needs params of NumPy's floating-point dtypes, got {name} in"
                f" {leaf.dtype}; cast them to float32."
            )
    write_atomic(path, numpy.save(leaves))


def load(path: Path, like: Any) -> Any:
    """Returns the params in a file, in the structure of `like`.

    Args:
        path: what `save` or another library wrote.
        like: params, or their shapes and dtypes, of the cell that they are for.

    Raises:
        InputError: the file is missing, no safetensors file, or much too long.
        ValueError: it holds other names, shapes or dtypes than `like`.
    """
    from safetensors import SafetensorError, numpy

    wanted = names.flatten(like)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in wanted.values())
    try:
        found = numpy.load(read(Path(path), size + _HEADER))
    except (OSError, SafetensorError, KeyError) as error:  # the last: of a dtype
        raise InputError(
            f"Parameters are read from a safetensors file, got {path} ({error}); write"
            f" one with rnnlab.interop.files.save."
        ) from error
    names.expect(str(path), found, wanted)
    for name, leaf in wanted.items():
        held = found[name]
        if (held.shape, held.dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(
                f"{path} should hold {name} as {leaf.dtype}{list(leaf.shape)}, got"
                f" {held.dtype}{list(held.shape)}; load it for the cell that it is of."
            )
    leaves = [found[name] for name in wanted]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
