"""How the gradient fades by lag, of the runs that launch.probe has looked into."""

import os
from typing import Any

import numpy as np

from launch.parts.curves import LARGEST, Line, seed
from launch.parts.subject import Subject
from launch.runs import Run
from rnnlab import files
from rnnlab.errors import InputError

PROBE = "probe.json"
LAYERS = 16


def collect(subject: Subject) -> tuple[dict[str, list[Line]], dict[str, str]]:
    """Returns the lines by layer, and why some runs have none, by folder."""
    lines: dict[str, list[Line]] = {}
    unread = {}
    for place, group in enumerate(subject.groups):
        for run in group.runs:
            try:
                found = norms(run)
            except InputError as error:
                unread[subject.place(run.folder)] = str(error)
                continue
            for layer, values in enumerate(found):
                line = Line(
                    place, seed(run), False, np.arange(1, len(values) + 1), values
                )
                lines.setdefault(f"layer {layer}", []).append(line)
    return lines, unread


def norms(run: Run) -> list[np.ndarray]:
    """Returns the norm of the gradient by lag, from 1, of each layer; [] if not probed.

    Raises:
        InputError: the file holds something else.
    """
    file = run.folder / PROBE
    if not os.path.lexists(file):
        return []
    match files.read_json(file):
        case {"layers": [*layers]}:
            found = [_norms(layer) for layer in layers[:LAYERS]]
            if all(values is not None for values in found):
                return [values for values in found if values is not None]
    raise InputError(
        f"{file} should hold the figures of launch.probe, but has no norms by lag; run"
        f" that again, or delete it."
    )


def _norms(layer: Any) -> np.ndarray | None:
    """Returns the norms of one layer, not finite as NaN; None where there are none."""
    match layer:
        case {"curves": {"gradient_norm": [*values]}} if all(
            isinstance(value, float | None) for value in values
        ):
            known = np.array([np.nan if v is None else v for v in values])
            known[~(np.abs(known) <= LARGEST)] = np.nan
            return known
    return None
