"""How the arrays of a saved step are cut: a chunk is read as a whole.

What is to be restored bounds the arrays, but a chunk has a shape of its own, and
tensorstore makes room for all of it. One that was saved is no larger than its array.
"""

import json
from pathlib import Path
from typing import Any

import tensorstore

_ABOUT = "zarr.json"  # what an array says of itself


def check(folder: Path) -> None:
    """Raises ValueError unless each array is stored in chunks no larger than it is.

    Args:
        folder: of an orbax checkpoint.
    """
    if any(path.name in (_ABOUT, ".zarray") for path in folder.rglob("*")):
        raise ValueError("its arrays are not in one file, as they were saved")
    # By its path: in a URL some characters of it would be others.
    base = {"driver": "file", "path": f"{folder}/state/"}
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
    arrays = [n for n in store.list().result() if n.endswith(_ABOUT.encode())]
    if not arrays:
        raise ValueError("it holds no array")
    for name in arrays:
        _check(name.decode(), json.loads(store.read(name).result().value))


def _check(name: str, found: Any) -> None:
    match found:
        case {
            "shape": [*shape],
            "chunk_grid": {"configuration": {"chunk_shape": [*chunk]}},
        } if all(0 < part <= size for part, size in zip(chunk, shape, strict=True)):
            return
    raise ValueError(f"{name} is stored in chunks larger than it is")
