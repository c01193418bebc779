"""One saved step, opened: all of its files are those that were saved."""

import dataclasses
import textwrap
from pathlib import Path
from typing import Any, Self

import jax
from orbax.checkpoint import v1 as ocp

from rnnlab import files
from rnnlab.errors import InputError, NoUsableCheckpoint
from rnnlab.training import chunks, leaves, sealed

STATE, METADATA = "state", "metadata.json"
LONGEST = 1 << 28  # bytes of metadata: a vocabulary is in it
_DENSEST = 100  # bytes of arrays in a byte of files, beyond this:
_ALWAYS = 1 << 30  # zeros are stored in next to none
_NOT_SAVED = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RuntimeError,
)


@dataclasses.dataclass(frozen=True)
class Stored:
    """A step on disk.

    Attributes:
        folder: where it is.
        kinds: dtype and shape of each leaf.
        metadata: what was saved beside the state.
    """

    folder: Path
    kinds: dict[str, str]
    metadata: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Compares the files with their digests and reads the metadata.

        Raises:
            Damaged: a file is not the one that was saved.
        """
        sealed.verify(folder)
        try:
            match files.read_json(folder / METADATA, LONGEST):
                case {"leaves": {**kinds}, "metadata": {**metadata}}:
                    return cls(folder, kinds, metadata)
        except InputError as error:
            raise sealed.Damaged(str(error)) from error
        raise sealed.Damaged(f"{METADATA} does not describe a state")

    @property
    def step(self) -> int:
        """The number of the step."""
        return int(self.folder.name)

    def restore(self, like: Any) -> Any:
        """Returns the state, structured as `like`.

        Args:
            like: a pytree of arrays, `jax.ShapeDtypeStruct`s or Python numbers. A
                leaf with a sharding is restored to it, others to the first device.

        Raises:
            IncompatibleCheckpoint: paths, shapes or dtypes differ from `like`.
            NoUsableCheckpoint: the files are whole but hold no such state.
        """
        wanted = leaves.named(like)
        kinds = {name: leaves.kind(leaf) for name, leaf in wanted.items()}
        leaves.compare(self.folder, self.kinds, kinds)
        size = sum(leaves.size(leaf) for leaf in wanted.values())
        held = sum(path.lstat().st_size for path in self.folder.rglob("*"))
        if size > _DENSEST * held + _ALWAYS:
            raise wrong(self.folder, f"{size} bytes do not come from {held}")
        abstract = {name: leaves.abstract(leaf) for name, leaf in wanted.items()}
        try:
            chunks.check(self.folder / STATE)
            restored = ocp.load(str(self.folder / STATE), abstract)
            ordered = [restored[name] for name in wanted]
            if [leaves.kind(leaf) for leaf in ordered] != [*kinds.values()]:
                raise TypeError(f"its arrays are not those that {METADATA} names")
        except jax.errors.JaxRuntimeError:  # the device's: it may be full
            raise
        except _NOT_SAVED as error:
            # Nothing that was saved here: the digests were right.
            raise wrong(self.folder, str(error)) from error
        except Exception as error:
            if type(error) is not Exception:  # orbax's word for tensorstore's errors
                raise
            raise wrong(self.folder, str(error.__cause__)) from error
        return jax.tree.unflatten(jax.tree.structure(like), ordered)


def wrong(folder: Path, what: str) -> NoUsableCheckpoint:
    """Returns the error of a step that is whole, and yet not one that was saved."""
    return NoUsableCheckpoint(
        f"{folder} should be a checkpoint of this run, but"
        f" {textwrap.shorten(what, 200)}; move it away to go on from an older one."
    )


def unusable(folder: Path, what: str) -> NoUsableCheckpoint:
    """Returns the error of a damaged step."""
    return NoUsableCheckpoint(
        f"{folder} should be a whole checkpoint, but {textwrap.shorten(what, 200)}; go"
        f" on from an older one with --resume, or move this one away with `python -m"
        f" launch.checkpoints quarantine`."
    )
