"""The saved states of one run: `directory/<step>/`, complete or not there at all.

Of several processes all write their parts of the arrays, and the first does the rest.

A step's folder holds

    state/          the leaves, saved by orbax under their key paths
    metadata.json   {"leaves": {path: dtype and shape}, "metadata": the caller's}
    SHA256SUMS      a digest of every other file: see `sealed`

It is built as `<step>.tmp`, synced, and renamed when it is complete; an old step is
renamed to `<step>.tmp` before it is deleted. So a kill at any time leaves whole steps
and, at worst, a `.tmp` folder, which the next start removes. A damaged step is moved to
`quarantine/`, and what is not ours is left alone.

Orbax's `training.Checkpointer` is not used: it deletes in place (a kill leaves half
a step under a valid number), and orbax reads damaged files without noticing, or
fails on them with a bare `Exception`. Here no file is parsed before its digest is
compared.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import jax
from orbax.checkpoint import v1 as ocp

from rnnlab import files
from rnnlab.errors import InputError, NoUsableCheckpoint, StorageError
from rnnlab.training import leaves, sealed, team, workdir
from rnnlab.training.stored import LONGEST, METADATA, STATE, Stored, unusable

QUARANTINE = "quarantine"
QUARANTINED = 3  # damaged steps kept for whoever wants to know why


def _context() -> ocp.Context:
    """Returns how orbax saves."""
    context = ocp.Context()
    # Folders are made before `save_async` returns: when one made in the background
    # fails (a full disk), orbax's threads wait 5 minutes for it before they say so.
    context.asynchronous.create_directories_asynchronously = False
    if jax.process_count() > 1:
        # Named, they wait for each other by messages. Otherwise by a sum over all
        # devices, from a thread: it would come among those of the training steps.
        everyone = set(range(jax.process_count()))
        context.multiprocessing.active_processes = everyone
    return context


class Checkpoints:
    """Saves states in the background and restores them bit for bit.

    Use it as a context manager: leaving it waits for the last save. One process
    saves (see `workdir.lock`); any number may read, and reading changes no file.

    Attributes:
      directory: Absolute.
    """

    def __init__(
        self,
        directory: Path,
        keep: int,
        saved: Callable[[int], None] = lambda step: None,
    ):
        """Prepares; nothing is read or written yet.

        Args:
          directory: Holds the steps; need not exist.
          keep: So many of the newest steps stay.
          saved: Is told each step when it is durable, from another thread.
        """
        if keep < 1:
            raise InputError(f"Checkpoints keeps 1 step or more, got keep={keep}.")
        self.directory = workdir.resolve(directory)
        if "[" in str(self.directory):  # orbax takes it for a pattern, and loses arrays
            raise InputError(
                f"A folder without [ in its path was wanted for checkpoints, got"
                f" {self.directory}; pass another --workdir."
            )
        self._keep = keep
        self._saved = saved
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None
        self._failed = False

    @property
    def steps(self) -> list[int]:
        """The steps on disk, ascending."""
        return sorted(
            int(folder.name) for folder in self._entries() if _is_step(folder)
        )

    @property
    def latest(self) -> int | None:
        """The newest step on disk, or None."""
        return max(self.steps, default=None)

    @property
    def junk(self) -> list[str]:
        """The names of what is neither a step nor made by `Checkpoints`."""
        return sorted(
            entry.name
            for entry in self._entries()
            if not (_is_step(entry) or _is_partial(entry) or entry.name == QUARANTINE)
        )

    def save(
        self,
        step: int,
        state: Any,
        metadata: dict[str, Any],
        spare: Collection[int] = (),
    ) -> None:
        """Copies `state` and returns; it is written, then becomes `step`, meanwhile.

        The buffers of `state` may be donated or changed afterwards. A step that
        exists is left as it is: the same step of a run is the same state. When the
        save is durable, the newest `keep` steps up to `step` stay, and those of
        `spare`; steps above it, of a history that was abandoned, go.

        Args:
          step: The number of the step.
          state: A pytree of arrays (typed keys included) and Python numbers.
          metadata: JSON data: tuples return as lists, keys as strings.
          spare: Older steps that stay too.

        Raises:
          InputError: A leaf that cannot be restored later, no leaf at all, or metadata
            that could not be read again.
          StorageError: The save before this one failed, or this one at its start.
        """
        self.wait()
        named = leaves.named(state)
        if not named:
            raise InputError("A checkpoint holds 1 leaf or more, got an empty state.")
        kinds = {name: leaves.kind(leaf) for name, leaf in named.items()}
        text = json.dumps({"leaves": kinds, "metadata": metadata})
        if len(text) > LONGEST:
            raise InputError(
                f"A checkpoint holds metadata of {LONGEST} bytes at most, got"
                f" {len(text)}; a smaller --vocab_size makes them shorter."
            )
        size = sum(leaves.size(leaf) for leaf in named.values()) + len(text)
        with self._writing(step, size) as partial:
            if not team.lead(lambda: self._begin(step, partial)):
                return
            with _context():
                response = ocp.save_async(str(partial / STATE), named)
        self._pending = self._worker.submit(
            self._commit, step, response, text, size, frozenset(spare)
        )

    def open(self, step: int | None = None) -> Stored:
        """Returns the step (None: the newest), its files compared with their digests.

        Raises:
          NoUsableCheckpoint: There is none, or its files are damaged.
          StorageError: The pending save failed.
        """
        self.wait()
        steps = self.steps
        if not steps or step not in (None, *steps):
            wanted = "A checkpoint" if step is None else f"Checkpoint {step}"
            raise NoUsableCheckpoint(
                f"{wanted} is wanted from {self.directory}, which holds "
                f"{steps or 'none'}; pass the --workdir of a run that saved one."
            )
        folder = self.directory / str(steps[-1] if step is None else step)
        try:
            return Stored.open(folder)
        except sealed.Damaged as error:
            if not folder.exists():  # the run that writes here has just deleted it
                return self.open(step)
            raise unusable(folder, str(error)) from error

    def restore(self, like: Any, step: int | None = None) -> Any:
        """Returns `open(step).restore(like)`."""
        return self.open(step).restore(like)

    def metadata(self, step: int | None = None) -> dict[str, Any]:
        """Returns the metadata of `open(step)`."""
        return self.open(step).metadata

    def whole(self) -> tuple[Stored | None, dict[int, str]]:
        """Returns the newest step without damage, and what is wrong with those above.

        Raises:
          StorageError: The pending save failed.
        """
        self.wait()
        damaged: dict[int, str] = {}
        for step in reversed(self.steps):
            folder = self.directory / str(step)
            try:
                return Stored.open(folder), damaged
            except sealed.Damaged as error:
                if folder.exists():
                    damaged[step] = str(error)
        return None, damaged

    @property
    def quarantined(self) -> list[str]:
        """The names of what was moved to `quarantine/`."""
        ward = self.directory / QUARANTINE
        return sorted(entry.name for entry in ward.iterdir()) if ward.is_dir() else []

    def quarantine(self, step: int) -> Path:
        """Moves a step out of the way and returns where it is now.

        Raises:
          StorageError: The directory cannot be written.
        """
        ward = self.directory / QUARANTINE
        try:
            if ward.is_symlink():  # what it leads to is not ours to fill and empty
                ward.unlink()
            ward.mkdir(exist_ok=True)
            found = (_admitted(entry) for entry in ward.iterdir())
            taken = sorted((number, entry) for number, entry in found if number)
            number = max((number for number, _ in taken), default=0) + 1
            place = ward / f"{number}-step-{step}"
            os.replace(self.directory / str(step), place)
            files.sync(self.directory)
        except OSError as error:
            raise files.storage_error(ward / str(step), error) from error
        for _, old in taken[: max(0, len(taken) + 1 - QUARANTINED)]:
            files.remove(old)
        return place

    def abandon(self, above: int) -> None:
        """Deletes the steps above `above`: those of a history that is run again.

        Raises:
          StorageError: The directory cannot be written.
        """
        self.wait()
        for step in self.steps:
            if step > above:
                with self._writing(step, 0):
                    self._delete(step)

    def tidy(self) -> None:
        """Removes what a kill left half written or half deleted."""
        for entry in self._entries():
            if _is_partial(entry):
                files.remove(entry)

    def wait(self) -> None:
        """Returns when the pending save, if any, is durable.

        Raises:
          StorageError: It failed; older steps are as they were.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def check(self) -> None:
        """Raises the StorageError of a save that has failed, without waiting."""
        if self._pending is not None and self._pending.done():
            self.wait()

    def close(self) -> None:
        """Waits for the pending save and ends the worker thread.

        Raises:
          StorageError: The pending save failed.
        """
        try:
            self.wait()
        finally:
            self._worker.shutdown()
            for _ in range(10 * self._failed):  # tensorstore's threads still write
                time.sleep(0.05)
                self.tidy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _entries(self) -> list[Path]:
        try:
            return list(self.directory.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise InputError(
                f"{self.directory} should hold checkpoints, but {error.strerror}; make"
                f" it a folder that can be read."
            ) from error

    def _begin(self, step: int, partial: Path) -> bool:
        """Makes the folder of a step that is not there yet, or returns False."""
        if step in self.steps:
            return False
        self.tidy()
        with self._writing(step, 0):
            partial.mkdir(parents=True)
        return True

    def _delete(self, step: int) -> None:
        """Renames first: a kill leaves the whole step, or none."""
        rubbish = self.directory / f"{step}.tmp"
        os.replace(self.directory / str(step), rubbish)
        files.remove(rubbish)

    @contextlib.contextmanager
    def _writing(self, step: int, size: int) -> Iterator[Path]:
        """Turns a failure into a StorageError and gives the space back."""
        partial = self.directory / f"{step}.tmp"
        try:
            yield partial
        except StorageError:
            self._give_back(partial)
            raise
        except (OSError, ValueError) as error:  # tensorstore raises the second
            self._give_back(partial)
            if team.is_lost(error):
                raise
            number = re.search(r"os_error_code='(\d+)'", str(error))
            cause = OSError(0, os.strerror(int(number[1]))) if number else error
            place = self.directory / str(step)
            raise files.storage_error(place, cause, size) from error

    def _give_back(self, partial: Path) -> None:
        if team.leads():
            self._failed = True
            files.remove(partial)

    def _commit(
        self, step: int, response: Any, text: str, size: int, spare: frozenset[int]
    ) -> None:
        """Runs in the worker: waits for orbax, seals the folder, drops old steps."""
        with self._writing(step, size) as partial:
            response.result()
            if not team.leads():
                return
            files.write_atomic(partial / METADATA, text)
            sealed.seal(partial)
            place = self.directory / str(step)
            if os.path.lexists(place):  # of a step's name, and none
                self.quarantine(step)
            os.replace(partial, place)
            files.sync(self.directory)
            self._saved(step)
            steps = self.steps
            kept = [s for s in steps if s <= step][-self._keep :]
            for old in {*steps} - {*kept} - spare:
                self._delete(old)


def _is_step(folder: Path) -> bool:
    """Returns whether a folder is named as a step, and holds a part of one."""
    return (
        folder.name.isdecimal()
        and len(folder.name) < 19  # it fits 64 bits
        and folder.name == str(int(folder.name))  # not 007
        and folder.is_dir()
        and not folder.is_symlink()
        and any((folder / part).exists() for part in (STATE, METADATA, sealed.SUMS))
    )


def _is_partial(entry: Path) -> bool:
    """Returns whether a kill left this."""
    return entry.suffix == ".tmp" and entry.stem.isdecimal()


def _admitted(entry: Path) -> tuple[int, Path]:
    """Returns the number of a quarantined step, in the order of coming."""
    named = re.fullmatch(r"(\d{1,18})-step-\d+", entry.name)
    return int(named[1]) if named else 0, entry
