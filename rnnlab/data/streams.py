"""Ids -> windows [T, B] to train and evaluate on, in an order fixed by the position.

The ids are laid out as B contiguous rows, and batch k + 1 goes on in each row where
batch k stopped, so a carry can be kept from one to the next (truncated
backpropagation through time). A batch depends on k alone: k is all there is to save.
"""

import abc
import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rnnlab.errors import InputError

BLOCK = 1 << 20  # ids counted at once


class Batch(NamedTuple):
    """One window.

    Attributes:
        inputs: int32 [T, B].
        targets: int32 [T, B], the ids that follow the inputs.
        mask: bool [T, B], False where padded.
        reset: bool [], True where the carry starts anew.
    """

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray
    reset: np.ndarray


class _Stream(abc.ABC):
    """What both streams share: the checks, the length and one pass as iteration."""

    def __init__(
        self,
        ids: np.ndarray,
        batch: int,
        length: int,
        vocab_size: int,
        rows: slice | None = None,
    ):
        if batch < 1 or length < 1:
            raise InputError(
                f"A batch and a length of at least 1 were wanted, and {batch} and "
                f"{length} came; change --batch_size or --length."
            )
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise InputError(
                "Integer ids of one axis were wanted, and "
                f"{ids.dtype} {list(ids.shape)} came; take a split of text.load()."
            )
        # As unsigned, a negative id is a large one, and one comparison finds both.
        # A plain array, because slicing a memmap object is several times as slow.
        self._type = ids.dtype
        self._ids = np.asarray(ids).view(ids.dtype.str.replace("i", "u"))
        self._batch, self._length, self._vocab_size = batch, length, vocab_size
        self._share = slice(0, batch) if rows is None else rows

    @property
    @abc.abstractmethod
    def tokens(self) -> int:
        """The number of unmasked targets in one pass."""

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """How often each id stands in the text, int64 [V]; 100 million take 0.4 s."""
        counts = np.zeros(self._vocab_size, np.int64)
        for start in range(0, len(self._ids), BLOCK):
            block = self._ids[start : start + BLOCK]
            counts += np.bincount(block, minlength=self._vocab_size)
        return counts

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def __getitem__(self, k: int) -> Batch: ...

    def __iter__(self) -> Iterator[Batch]:
        """One pass."""
        return (self[k] for k in range(len(self)))

    def _batch_of(self, window: np.ndarray, mask: np.ndarray, first: bool) -> Batch:
        """Checks a window [T + 1, B] and splits it into inputs and targets."""
        largest = window.max()
        if largest >= self._vocab_size:
            raise InputError(
                f"Ids from 0 to {self._vocab_size - 1} were wanted, and "
                f"{largest.view(self._type)} came; load the text with the tokenizer "
                "that the model was made for, or name its --data."
            )
        window = window.astype(np.int32, order="C")
        return Batch(window[:-1], window[1:], mask, np.asarray(first))


class TrainStream(_Stream):
    """An endless run over full windows; `stream[k]` for any k >= 0 is its batch k.

    Each row has (N - 1) // B targets, of which those that fill windows are used; row
    b of an epoch starts at id b * ((N - 1) // B).

    Args:
        ids: Integer ids [N], a memory map or a plain array; no copy is made.
        batch: B, the number of rows.
        length: T, the number of steps in a window.
        vocab_size: Ids must be below it; checked window by window.
        rows: Those of the B that are read and handed out; all by default.

    Raises:
        InputError: There are fewer than B * T + 1 ids.
    """

    def __init__(
        self,
        ids: np.ndarray,
        batch: int,
        length: int,
        vocab_size: int,
        rows: slice | None = None,
    ):
        super().__init__(ids, batch, length, vocab_size, rows)
        targets = max(0, len(ids) - 1)
        row = targets // batch
        if row < length:
            largest = {"batch_size": targets // length, "length": row}
            ways = [f"--{flag}={most}" for flag, most in largest.items() if most]
            raise InputError(
                f"At least {batch} x {length} + 1 = {batch * length + 1} tokens were "
                f"wanted to fill a batch, and the split has {len(ids)}; take "
                + "".join(f"at most {way}, or " for way in ways)
                + "a longer --data."
            )
        # Rows overlap by one id, the last target of one being the first input of the
        # next: a view that no reshape could give.
        windows = np.lib.stride_tricks.sliding_window_view(self._ids, row + 1)
        shared = windows[: batch * row : row][self._share]
        self._rows = shared.T  # [(N - 1) // B + 1, B], of B those of the share
        self._windows = row // length
        self._mask = np.ones((length, self._rows.shape[1]), bool)
        self._mask.flags.writeable = False

    @property
    def tokens(self) -> int:
        """The number of targets in an epoch."""
        return self._windows * self._length * self._batch

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._windows

    def __getitem__(self, k: int) -> Batch:
        if k < 0:
            raise IndexError(k)
        k %= self._windows
        start = k * self._length
        window = self._rows[start : start + self._length + 1]
        return self._batch_of(window, self._mask, first=k == 0)


class EvalStream(_Stream):
    """One pass in which every id but the first is a target exactly once.

    Row b has the targets from b * R + 1 on, R = ceil((N - 1) / B), but no fewer than
    T, so that a short split fills few rows instead of many that start cold. What is
    left of a row or window is padded: id 0, mask False.

    Args:
        ids: Integer ids [N], a memory map or a plain array; no copy is made.
        batch: B, the number of rows.
        length: T, the number of steps in a window.
        vocab_size: Ids must be below it; checked window by window.
        rows: Those that are read and handed out; all B by default. Beyond B they are
            padded, so that as many can be on each of several devices.

    Raises:
        InputError: There are fewer than two ids.
    """

    def __init__(
        self,
        ids: np.ndarray,
        batch: int,
        length: int,
        vocab_size: int,
        rows: slice | None = None,
    ):
        super().__init__(ids, batch, length, vocab_size, rows)
        if len(ids) < 2:
            raise InputError(
                f"A split of at least 2 tokens was wanted to evaluate on, and it has "
                f"{len(ids)}; take a longer --data, or other --fractions."
            )
        self._row = max(length, -(-self.tokens // batch))
        share = np.arange(self._share.start, self._share.stop)
        self._starts = share * self._row  # [B]
        self._steps = np.arange(length + 1)[:, None]  # [T + 1, 1]

    @property
    def tokens(self) -> int:
        """The number of ids but one."""
        return len(self._ids) - 1

    def __len__(self) -> int:
        return -(-self._row // self._length)

    def __getitem__(self, k: int) -> Batch:
        if not 0 <= k < len(self):
            raise IndexError(k)
        column = self._steps + k * self._length  # [T + 1, 1]
        place = column + self._starts  # [T + 1, B]
        mask = (column < self._row) & (place < self.tokens)
        # The last id of a row is a target, so it is kept where its predecessor is.
        keep = np.concatenate([mask[:1], mask[:-1]])
        window = self._ids[np.minimum(place, self.tokens)] * keep
        return self._batch_of(window, mask[:-1], first=k == 0)
