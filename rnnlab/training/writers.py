"""The figures of a run on disk: `metrics.jsonl`, and TensorBoard events beside it.

A row is one JSON object a line, `{"step": 10, "loss": 4.61}`, flushed when it is
written. JSON has no NaN or infinity: both are written as null and read as NaN.
"""

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, SupportsFloat

from rnnlab.errors import InputError
from rnnlab.files import read, storage_error, unlinked, write_atomic

METRICS = "metrics.jsonl"


class MetricsWriter:
    """Appends rows to `workdir/metrics.jsonl` and scalars to `workdir/tensorboard/`.

    Rows above `resumed_step` are dropped at the start, so that after a resume the
    file is, byte for byte, that of an uninterrupted run: write a step's rows before
    that step is saved.
    """

    def __init__(
        self,
        workdir: Path,
        resumed_step: int | None,
        tensorboard: bool,
        again: str | None = None,
    ):
        """Opens the files.

        Args:
          workdir: An existing folder.
          resumed_step: The step whose state was restored, None for a fresh run.
          tensorboard: Whether events are written too.
          again: Rows of `resumed_step` that have this name are dropped too.

        Raises:
          InputError: A line of the present file, other than a torn last one, is bad.
          StorageError: A file cannot be written.
        """
        last = -1 if resumed_step is None else resumed_step
        self._path = workdir / METRICS
        if os.path.lexists(self._path):
            kept = [
                line
                for line, row in _rows(self._path)
                if row["step"] < last or (row["step"] == last and again not in row)
            ]
            write_atomic(self._path, "".join(kept))
        try:
            # Unbuffered: a failed write must not come back when the file is closed.
            self._file = open(self._path, "ab", buffering=0, opener=unlinked)
            self._events = None
            if tensorboard:
                folder = str(workdir / "tensorboard")
                # Its file names hold the second alone: a suffix tells two starts apart.
                self._events = summary_writer()(
                    folder, purge_step=last + 1, filename_suffix=f".{last + 1}"
                )
        except OSError as error:
            raise storage_error(self._path, error) from error

    def write(self, step: int, row: Mapping[str, SupportsFloat]) -> None:
        """Writes one row; the names in `row` are the TensorBoard tags.

        Raises:
          StorageError: The row cannot be written.
        """
        values = {name: float(value) for name, value in row.items()}
        finite = {n: v if math.isfinite(v) else None for n, v in values.items()}
        rest = (json.dumps({"step": step} | finite, allow_nan=False) + "\n").encode()
        try:
            while rest:  # a raw write may take a part of it
                rest = rest[self._file.write(rest) :]
            if self._events is not None:
                for name, value in values.items():
                    self._events.add_scalar(name, value, step)
        except OSError as error:
            raise storage_error(self._path, error) from error

    def close(self) -> None:
        """Closes the files.

        Raises:
          StorageError: The last events cannot be written.
        """
        try:
            self._file.close()
            if self._events is not None:
                self._events.close()
        except OSError as error:
            raise storage_error(self._path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Returns the rows of a `metrics.jsonl`, a torn last line left out.

    Raises:
      InputError: The file cannot be read, or another line is not a row.
    """
    nan = math.nan
    return [
        {name: nan if value is None else value for name, value in row.items()}
        for _, row in _rows(path)
    ]


def summary_writer() -> type[Any]:
    """Returns tensorboardX's writer of events, imported when it is asked for.

    And without torch, whose import would be a quarter of a start's seconds:
    tensorboardX asks for it, for tensors of torch's, and there are none here.
    """
    modules: dict[str, Any] = sys.modules
    torch = modules.setdefault("torch", None)  # None: as if there were no such module
    try:
        from tensorboardX import SummaryWriter
    finally:
        if torch is None:
            del modules["torch"]
    return SummaryWriter


def _rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Returns each complete line, as it stands, and its row."""
    try:
        lines = read(path).split(b"\n")[:-1]  # what follows the last \n is torn
    except OSError as error:
        raise InputError(
            f"{path} should hold metrics, but {error.strerror or error}; pass the "
            "--workdir of a run."
        ) from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append((line.decode() + "\n", _row(json.loads(line))))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}:{number} should be a row with a step, got {line[:80]!r}; "
                "mend or delete that line."
            ) from error
    return rows


def _row(value: Any) -> dict[str, Any]:
    """Returns a row as it was written: a step, and numbers or null by name."""
    match value:
        case {"step": int(step), **rest} if step >= 0 and all(
            isinstance(number, float | None)
            or (isinstance(number, int) and number.bit_length() < 64)
            for number in (step, *rest.values())
        ):
            return value
    raise ValueError("no row")
