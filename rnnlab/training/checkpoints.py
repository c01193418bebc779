"""The saved states of one run: `directory/<step>/`, complete or not there at all.

A step's folder holds

    state/          the leaves, saved by orbax under their key paths
    metadata.json   {"leaves": {path: dtype and shape}, "metadata": the caller's}
    SHA256SUMS      a digest of every other file; `sha256sum --check` reads it

It is built as `<step>.tmp`, synced, and renamed when it is complete; an old step is
renamed to `<step>.tmp` before it is deleted. So a kill at any time leaves whole steps
and, at worst, a `.tmp` folder, which the next save removes.

Orbax's `training.Checkpointer` is not used: it deletes in place (a kill leaves half
a step under a valid number), and orbax reads damaged files without noticing, or
fails on them with a bare `Exception`. Here no file is parsed before its digest is
compared.
"""

import contextlib
import json
import os
import re
import shutil
import textwrap
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from rnnlab import files
from rnnlab.errors import (
    IncompatibleCheckpoint,
    InputError,
    NoUsableCheckpoint,
    StorageError,
)
from rnnlab.training import workdir

SUMS = "SHA256SUMS"

# Folders are made before `save_async` returns: when one made in the background fails
# (a full disk), orbax's threads wait 5 minutes for it before they say so.
_CONTEXT = ocp.Context()
_CONTEXT.asynchronous.create_directories_asynchronously = False


class Checkpoints:
    """Saves states in the background and restores them bit for bit.

    Use it as a context manager: leaving it waits for the last save. One process
    saves (see `workdir.lock`); any number may read, and reading changes no file.
    """

    def __init__(self, directory: Path, keep: int):
        if keep < 1:
            raise InputError(f"Checkpoints keeps 1 step or more, got keep={keep}.")
        self._directory = workdir.resolve(directory)
        self._keep = keep
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None

    @property
    def steps(self) -> list[int]:
        """The steps that are complete on disk, ascending."""
        return sorted(
            int(folder.name)
            for folder in self._directory.glob("[0-9]*")
            if folder.name.isdecimal()
            and folder.name == str(int(folder.name))  # not 007
            and folder.is_dir()
            and not folder.is_symlink()
            and any(folder.iterdir())
        )

    @property
    def latest(self) -> int | None:
        """The newest step that is complete on disk, or None."""
        return max(self.steps, default=None)

    def save(self, step: int, state: Any, metadata: dict[str, Any]) -> None:
        """Copies `state` and returns; it is written, then becomes `step`, meanwhile.

        The buffers of `state` may be donated or changed afterwards. A step that
        exists is left as it is: the same step of a run is the same state. When the
        save is durable, the newest `keep` steps up to `step` stay; steps above it,
        of a history that was abandoned, go.

        Args:
          step: The number of the step.
          state: A pytree of arrays (typed keys included) and Python numbers.
          metadata: JSON data: tuples return as lists, keys as strings.

        Raises:
          InputError: A leaf that cannot be restored later.
          StorageError: The save before this one failed, or this one at its start.
        """
        self.wait()
        if step in self.steps:
            return
        leaves = {name: _storable(name, leaf) for name, leaf in _named(state).items()}
        kinds = {name: _kind(leaf) for name, leaf in leaves.items()}
        text = json.dumps({"leaves": kinds, "metadata": metadata})
        for rubbish in self._directory.glob("*.tmp"):
            shutil.rmtree(rubbish, ignore_errors=True)
        with self._writing(step) as partial:
            partial.mkdir(parents=True)
            with _CONTEXT:
                response = ocp.save_async(str(partial / "state"), leaves)
        self._pending = self._worker.submit(self._commit, step, response, text)

    def restore(self, like: Any, step: int | None = None) -> Any:
        """Returns the state saved at `step` (None: the newest), structured as `like`.

        Args:
          like: A pytree of arrays, `jax.ShapeDtypeStruct`s or Python numbers. A
            leaf with a sharding is restored to it, others to the first device.
          step: The number of the step.

        Raises:
          NoUsableCheckpoint: There is none, or its files are damaged.
          IncompatibleCheckpoint: Paths, shapes or dtypes differ from `like`.
          StorageError: The pending save failed.
        """
        folder, stored = self._read(step)
        leaves = {name: _storable(name, leaf) for name, leaf in _named(like).items()}
        _compare(folder, stored["leaves"], {n: _kind(x) for n, x in leaves.items()})
        abstract = {name: _abstract(leaf) for name, leaf in leaves.items()}
        restored = ocp.load(str(folder / "state"), abstract)
        ordered = [restored[name] for name in leaves]
        return jax.tree.unflatten(jax.tree.structure(like), ordered)

    def metadata(self, step: int | None = None) -> dict[str, Any]:
        """Returns the metadata saved with `step` (None: the newest).

        Raises:
          NoUsableCheckpoint: There is none, or its files are damaged.
          StorageError: The pending save failed.
        """
        return self._read(step)[1]["metadata"]

    def wait(self) -> None:
        """Returns when the pending save, if any, is durable.

        Raises:
          StorageError: It failed; older steps are as they were.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def close(self) -> None:
        """Waits for the pending save and ends the worker thread.

        Raises:
          StorageError: The pending save failed.
        """
        try:
            self.wait()
        finally:
            self._worker.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _writing(self, step: int) -> Iterator[Path]:
        """Turns a failure into a StorageError and gives the space back."""
        partial = self._directory / f"{step}.tmp"
        try:
            yield partial
        except StorageError:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        except (OSError, ValueError) as error:  # tensorstore raises the second
            shutil.rmtree(partial, ignore_errors=True)
            number = re.search(r"os_error_code='(\d+)'", str(error))
            cause = OSError(0, os.strerror(int(number[1]))) if number else error
            raise files.storage_error(self._directory / str(step), cause) from error

    def _commit(self, step: int, response: Any, text: str) -> None:
        """Runs in the worker: waits for orbax, seals the folder, drops old steps."""
        with self._writing(step) as partial:
            response.result()
            files.write_atomic(partial / "metadata.json", text)
            sums = "".join(f"{v}  {k}\n" for k, v in _digests(partial).items())
            files.write_atomic(partial / SUMS, sums)
            for path in partial.rglob("*"):  # orbax syncs its arrays only
                files.sync(path)
            os.replace(partial, self._directory / str(step))
            files.sync(self._directory)
            steps = self.steps
            kept = [s for s in steps if s <= step][-self._keep :]
            for old in set(steps) - set(kept):
                rubbish = self._directory / f"{old}.tmp"
                os.replace(self._directory / str(old), rubbish)
                shutil.rmtree(rubbish, ignore_errors=True)

    def _read(self, step: int | None) -> tuple[Path, dict[str, Any]]:
        """Returns the folder of `step` and its metadata.json, digests compared."""
        self.wait()
        steps = self.steps
        if not steps or step not in (None, *steps):
            wanted = "A checkpoint" if step is None else f"Checkpoint {step}"
            raise NoUsableCheckpoint(
                f"{wanted} is wanted from {self._directory}, which holds "
                f"{steps or 'none'}; pass the --workdir of a run that saved one."
            )
        folder = self._directory / str(steps[-1] if step is None else step)
        try:
            lines = (folder / SUMS).read_text().splitlines()
            sums = {name: digest for digest, name in (x.split("  ", 1) for x in lines)}
            found = _digests(folder)
        except (OSError, ValueError) as error:
            raise _damaged(folder, str(error)) from error
        for name in sorted(sums.keys() | found.keys()):
            if sums.get(name) != found.get(name):
                raise _damaged(folder, f"{name} is not the file that was saved")
        return folder, files.read_json(folder / "metadata.json")


def _named(tree: Any) -> dict[str, Any]:
    """Returns the leaves by key path, such as `.params['kernel']`, in tree order."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


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


def _kind(leaf: Any) -> str:
    """Returns what must agree for a bitwise restore, such as `float32[3,4]`, `int`."""
    if isinstance(leaf, bool | int | float):
        return type(leaf).__name__
    return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"


def _abstract(leaf: Any) -> Any:
    """Returns what orbax restores into; a leaf without a sharding gets the default."""
    if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        place = leaf.sharding or jax.sharding.SingleDeviceSharding(jax.devices()[0])
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)
    return leaf


def _compare(folder: Path, stored: dict[str, str], wanted: dict[str, str]) -> None:
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


def _digests(folder: Path) -> dict[str, str]:
    """Returns each file's SHA-256 by its path in `folder`."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != SUMS:
            digests[name] = files.sha256(path)
    return digests


def _damaged(folder: Path, what: str) -> NoUsableCheckpoint:
    return NoUsableCheckpoint(
        f"{folder} should be a whole checkpoint, but {textwrap.shorten(what, 200)}; "
        "move that folder away to resume from an older step."
    )
