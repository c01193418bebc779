"""Pieces of music as piano rolls: which of 88 keys sound at each step.

The file is JSON as the data sets of Boulanger-Lewandowski et al. are spread today:
{"train": [piece, ...], "valid": ..., "test": ...}, a piece a list of steps, a step the
list of the MIDI pitches, 21 to 108, that sound.

References:
    Boulanger-Lewandowski, Bengio, Vincent, Modeling temporal dependencies in
    high-dimensional sequences, 2012, https://arxiv.org/abs/1206.6392
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnlab.errors import InputError
from rnnlab.files import read_json

LOWEST, KEYS = 21, 88
SPLITS = ("train", "valid", "test")


class Rolls(NamedTuple):
    """Pieces side by side.

    Attributes:
        notes: uint8 [T, N, 88], 1 for a key that sounds; 0 after a piece's end.
        lengths: int32 [N], the steps of each piece.
    """

    notes: np.ndarray
    lengths: np.ndarray


def load(path: Path) -> Mapping[str, Rolls]:
    """Returns the splits of a file, each padded to its longest piece.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    data = read_json(path)
    if not isinstance(data, dict) or {*SPLITS} - data.keys():
        raise InputError(
            f"{path} should hold pieces by {', '.join(SPLITS)}; pass a file of"
            f" polyphonic music as JSON."
        )
    return {split: _rolls(path, split, data[split]) for split in SPLITS}


def _rolls(path: Path, split: str, pieces: Any) -> Rolls:
    """Returns the pieces of a split."""
    if not isinstance(pieces, list) or not pieces:
        raise InputError(f"{path} should hold pieces for {split}; it has none.")
    if not all(isinstance(piece, list) and len(piece) > 1 for piece in pieces):
        raise InputError(f"{path} should hold pieces of 2 steps or more for {split}.")
    lengths = np.array([len(piece) for piece in pieces], np.int32)
    notes = np.zeros((lengths.max(), len(pieces), KEYS), np.uint8)
    for k, piece in enumerate(pieces):
        for t, step in enumerate(piece):
            for pitch in step if isinstance(step, list) else [step]:
                whole = isinstance(pitch, int) and not isinstance(pitch, bool)
                if not whole or not LOWEST <= pitch < LOWEST + KEYS:
                    raise InputError(
                        f"{path} should hold MIDI pitches of {LOWEST} to"
                        f" {LOWEST + KEYS - 1}, got {pitch!r} in {split} piece {k},"
                        f" step {t}."
                    )
                notes[t, k, pitch - LOWEST] = 1
    return Rolls(notes, lengths)
