"""What happened to a run, for whoever watches it: a line of JSON for each event.

`{"event": "saved", "step": 100, "time": "..."}` stands in `events.jsonl` once the
checkpoint is durable. Other events: started, pretrained, resumed, skipped,
quarantined, overridden, numerics, preempted, diverged and failed with the message,
finished with the hash of the state. `launch.search` adds pruned, with why.
"""

import datetime
import json
import sys
import threading
from pathlib import Path
from typing import Any

from rnnlab import files
from rnnlab.errors import InputError, shown

EVENTS = "events.jsonl"


class Events:
    """Appends to `workdir/events.jsonl`, from any thread."""

    def __init__(self, workdir: Path):
        """Mends the file.

        Raises:
            InputError: something else is in its place.
            StorageError: it cannot be written.
        """
        self._path = workdir / EVENTS
        self._lock = threading.Lock()
        files.cut_torn(self._path)

    def write(self, event: str, **fields: Any) -> None:
        """Adds an event; it is durable on return.

        Raises:
            StorageError: it cannot be written.
        """
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        with self._lock:
            files.append_json(self._path, {"event": event, **fields, "time": now})

    def tell(self, message: str, event: str, **fields: Any) -> None:
        """Adds an event, and tells a person of it.

        Raises:
            StorageError: it cannot be written.
        """
        print(shown(message), file=sys.stderr, flush=True)
        self.write(event, **fields)

    def warn(self, message: str, event: str, **fields: Any) -> None:
        """Adds an event, and warns a person.

        Raises:
            StorageError: it cannot be written.
        """
        self.tell(f"warning: {message}", event, **fields)


def read(workdir: Path) -> list[dict[str, Any]]:
    """Returns the events of a workdir, a torn last line left out.

    Raises:
        InputError: the file cannot be read, or another line is no event.
    """
    path = workdir / EVENTS
    try:
        lines = files.read(path).split(b"\n")[:-1]
        events = [json.loads(line) for line in lines]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} should hold events, but {error}; mend or delete that file."
        ) from error
    if not all(isinstance(event, dict) for event in events):
        raise InputError(f"{path} should hold events only; mend or delete that file.")
    return events
