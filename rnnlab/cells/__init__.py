"""The cells, one architecture a file; `CELLS` gives each a name for the command line.

To add one, write its file after the pattern of `elman.py` and name it here: the
contract tests, the engines and the experiments pick it up from `CELLS`. Those whose
state lies on a grid are in `GRID_CELLS` and also take the `size` of the grid.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rnnlab.cell import Cell
from rnnlab.cells.conv_lstm import ConvLSTM
from rnnlab.cells.dense import LSTMCarry
from rnnlab.cells.elman import Elman
from rnnlab.cells.gru import GRU, GRUBefore
from rnnlab.cells.layer_norm import LayerNormLSTM
from rnnlab.cells.lru import LRU
from rnnlab.cells.lstm import LSTM
from rnnlab.cells.mingru import MinGRU
from rnnlab.cells.peephole import PeepholeLSTM
from rnnlab.cells.rhn import RHN

CELLS: Mapping[str, Callable[..., Cell[Any]]] = {
    "elman": Elman,
    "elman_relu": partial(Elman, activation="relu"),
    "gru": GRU,
    "gru_before": GRUBefore,
    "layer_norm_lstm": LayerNormLSTM,
    "lru": LRU,
    "lstm": LSTM,
    "mingru": MinGRU,
    "peephole_lstm": PeepholeLSTM,
    "rhn": RHN,
}

GRID_CELLS: Mapping[str, Callable[..., Cell[Any]]] = {"conv_lstm": ConvLSTM}

__all__ = [
    "CELLS",
    "GRID_CELLS",
    "GRU",
    "LRU",
    "LSTM",
    "RHN",
    "ConvLSTM",
    "Elman",
    "GRUBefore",
    "LSTMCarry",
    "LayerNormLSTM",
    "MinGRU",
    "PeepholeLSTM",
]
