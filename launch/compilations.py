"""Compiled programs are kept on disk, so that a restart has them at once."""

import os
import re
from pathlib import Path

from rnnlab.data import cache

MOST = 2 << 30  # bytes


def keep() -> None:
    """Keeps programs that took a second or more in `~/.cache/rnnlab/xla`.

    They are native code: the folder is this user's alone, and is not used if it is
    another's; each kind of processor has one. The oldest go where they are too many.
    `JAX_COMPILATION_CACHE_DIR` names another folder, empty for none.
    """
    import jax  # takes half a second, which --help does without

    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = _ours()
    if folder is not None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_compilation_cache_max_size", MOST)


def _ours() -> Path | None:
    """Makes the folder for this user alone and returns it, or None where it is not."""
    from rnnlab.training import numerics  # as jax above

    try:
        kind = re.sub(r"\W+", "-", numerics.processor())
        folder = cache.default_root() / "xla" / kind
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):
        return None  # no home, or one that is read-only
    return None if status.st_uid != os.getuid() or status.st_mode & 0o022 else folder
