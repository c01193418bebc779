"""Cells made of cells: what is done to any cell, beside the step itself.

A wrapped SplitCell is a SplitCell and a wrapped LinearCell a LinearCell, so that a
wrapper costs no engine but `LogSpace()`: a wrapped PositiveCell is a LinearCell.
"""

from rnnlab.wrappers.dropout import recurrent_dropout, state_dropout
from rnnlab.wrappers.learned import learned_start
from rnnlab.wrappers.masked import Marks, masked
from rnnlab.wrappers.mixed import mixed
from rnnlab.wrappers.tapped import tapped
from rnnlab.wrappers.wrapped import (
    Marked,
    Rule,
    Wrapped,
    Wrapper,
    inside,
    is_random,
    with_noise,
    wrap,
)
from rnnlab.wrappers.zoneout import zoneout

__all__ = [
    "Marked",
    "Marks",
    "Rule",
    "Wrapped",
    "Wrapper",
    "inside",
    "is_random",
    "learned_start",
    "masked",
    "mixed",
    "recurrent_dropout",
    "state_dropout",
    "tapped",
    "with_noise",
    "wrap",
    "zoneout",
]
