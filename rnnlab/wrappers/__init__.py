"""Cells made of cells: what is done to any cell, beside the step itself.

A wrapped SplitCell is a SplitCell and a wrapped LinearCell a LinearCell, so that a
wrapper costs no engine.
"""

from rnnlab.wrappers.masked import Marked, Masked, masked

__all__ = ["Marked", "Masked", "masked"]
