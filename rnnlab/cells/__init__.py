"""The cells, one architecture a file; `CELLS` gives each a name for the command line.

To add one, write its file after the pattern of `elman.py` and name it here: the
contract tests, the engines and the experiments pick it up from `CELLS`. Those whose
state lies on a grid are in `GRID_CELLS` and also take the `size` of the grid; those
that are told when and what was observed are in `OBSERVED_CELLS` and also take the
number of `inputs`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rnnlab.cell import Cell
from rnnlab.cells.antisymmetric import AntisymmetricRNN, GatedAntisymmetricRNN
from rnnlab.cells.batch_norm import BatchNormLSTM
from rnnlab.cells.clockwork import ClockworkCarry, ClockworkRNN
from rnnlab.cells.conv_gru import ConvGRU
from rnnlab.cells.conv_lstm import ConvLSTM
from rnnlab.cells.cornn import CoRNN, CoRNNCarry
from rnnlab.cells.ctrnn import CTRNN, Timed
from rnnlab.cells.dense import LSTMCarry
from rnnlab.cells.echo_state import EchoState
from rnnlab.cells.elman import Elman
from rnnlab.cells.exprnn import ExpRNN
from rnnlab.cells.fast_slow import FastSlowCarry, FastSlowLSTM
from rnnlab.cells.frozen_batch_norm import FrozenBatchNormLSTM
from rnnlab.cells.greff import VARIANTS, GreffCarry, GreffLSTM
from rnnlab.cells.gru import GRU, GRUBefore
from rnnlab.cells.gru_d import GRUD, GRUDCarry, Observed
from rnnlab.cells.hm_lstm import HMLSTM, HMLSTMCarry
from rnnlab.cells.indrnn import IndRNN
from rnnlab.cells.irnn import IRNN
from rnnlab.cells.layer_norm import LayerNormLSTM
from rnnlab.cells.layer_norm_gru import LayerNormGRU
from rnnlab.cells.lem import LEM, LEMCarry
from rnnlab.cells.lru import LRU
from rnnlab.cells.lstm import LSTM
from rnnlab.cells.lstmn import LSTMN, LSTMNCarry
from rnnlab.cells.mgu import MGU
from rnnlab.cells.mingru import MinGRU
from rnnlab.cells.minlstm import MinLSTM
from rnnlab.cells.mlstm import MLSTM, MLSTMCarry
from rnnlab.cells.mogrifier import MogrifierLSTM
from rnnlab.cells.mut import MUT1, MUT2, MUT3
from rnnlab.cells.nas import NASCell
from rnnlab.cells.neural_stack import NeuralStack, NeuralStackCarry
from rnnlab.cells.peephole import PeepholeLSTM
from rnnlab.cells.positive import PositiveMinGRU, PositiveMinLSTM
from rnnlab.cells.qrnn import QRNN
from rnnlab.cells.rg_lru import RGLRU
from rnnlab.cells.rhn import RHN
from rnnlab.cells.s5 import S5
from rnnlab.cells.slstm import SLSTM, SLSTMCarry
from rnnlab.cells.sru import SRU, LinearSRU
from rnnlab.cells.stack_rnn import StackRNN, StackRNNCarry
from rnnlab.cells.tape import TapeCarry, TapeRNN
from rnnlab.cells.unitary import UnitaryRNN

CELLS: Mapping[str, Callable[..., Cell[Any]]] = {
    "antisymmetric": AntisymmetricRNN,
    "batch_norm_lstm": BatchNormLSTM,
    "clockwork": ClockworkRNN,
    "cornn": CoRNN,
    "ctrnn": CTRNN,
    "echo_state": EchoState,
    "elman": Elman,
    "elman_relu": partial(Elman, activation="relu"),
    "exprnn": ExpRNN,
    "fast_slow_lstm": FastSlowLSTM,
    "gated_antisymmetric": GatedAntisymmetricRNN,
    **{f"greff_{name}": partial(GreffLSTM, variant=name) for name in VARIANTS},
    "gru": GRU,
    "gru_before": GRUBefore,
    "hm_lstm": HMLSTM,
    "indrnn": IndRNN,
    "irnn": IRNN,
    "layer_norm_gru": LayerNormGRU,
    "layer_norm_lstm": LayerNormLSTM,
    "lem": LEM,
    "linear_sru": LinearSRU,
    "lru": LRU,
    "lstm": LSTM,
    "lstmn": LSTMN,
    "mgu": MGU,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "mlstm": MLSTM,
    "mogrifier_lstm": MogrifierLSTM,
    "mut1": MUT1,
    "mut2": MUT2,
    "mut3": MUT3,
    "nas": NASCell,
    "neural_stack": NeuralStack,
    "peephole_lstm": PeepholeLSTM,
    "positive_mingru": PositiveMinGRU,
    "positive_minlstm": PositiveMinLSTM,
    "qrnn": QRNN,
    "rg_lru": RGLRU,
    "rhn": RHN,
    "s5": S5,
    "slstm": SLSTM,
    "sru": SRU,
    "stack_rnn": StackRNN,
    "tape_rnn": TapeRNN,
    "unitary": UnitaryRNN,
}

GRID_CELLS: Mapping[str, Callable[..., Cell[Any]]] = {
    "conv_gru": ConvGRU,
    "conv_lstm": ConvLSTM,
}

OBSERVED_CELLS: Mapping[str, Callable[..., Cell[Any]]] = {"gru_d": GRUD}

__all__ = [
    "AntisymmetricRNN",
    "BatchNormLSTM",
    "CELLS",
    "CTRNN",
    "ClockworkCarry",
    "ClockworkRNN",
    "CoRNN",
    "CoRNNCarry",
    "ConvGRU",
    "ConvLSTM",
    "EchoState",
    "Elman",
    "ExpRNN",
    "FastSlowCarry",
    "FastSlowLSTM",
    "FrozenBatchNormLSTM",
    "GRID_CELLS",
    "GRU",
    "GRUBefore",
    "GRUD",
    "GRUDCarry",
    "GatedAntisymmetricRNN",
    "GreffCarry",
    "GreffLSTM",
    "HMLSTM",
    "HMLSTMCarry",
    "IRNN",
    "IndRNN",
    "LEM",
    "LEMCarry",
    "LRU",
    "LSTM",
    "LSTMCarry",
    "LSTMN",
    "LSTMNCarry",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LinearSRU",
    "MGU",
    "MLSTM",
    "MLSTMCarry",
    "MUT1",
    "MUT2",
    "MUT3",
    "MinGRU",
    "MinLSTM",
    "MogrifierLSTM",
    "NASCell",
    "NeuralStack",
    "NeuralStackCarry",
    "OBSERVED_CELLS",
    "Observed",
    "PeepholeLSTM",
    "PositiveMinGRU",
    "PositiveMinLSTM",
    "QRNN",
    "RGLRU",
    "RHN",
    "S5",
    "SLSTM",
    "SLSTMCarry",
    "SRU",
    "StackRNN",
    "StackRNNCarry",
    "TapeCarry",
    "TapeRNN",
    "Timed",
    "UnitaryRNN",
]
