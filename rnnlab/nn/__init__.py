"""Flax linen modules above the time loop; `rnnlab.nn.nnx` holds the nnx adapter."""

from rnnlab.nn.blocks import Blocks
from rnnlab.nn.language_model import LanguageModel
from rnnlab.nn.losses import cross_entropy
from rnnlab.nn.outputs import Adaptive, Mixture, Sampled, Softmax
from rnnlab.nn.recurrent import Bidirectional, Recurrent
from rnnlab.nn.stack import Highway, Stack
from rnnlab.nn.tcn import TCN
from rnnlab.nn.transformer import Transformer
from rnnlab.nn.windowed import Windowed

__all__ = [
    "Adaptive",
    "Bidirectional",
    "Blocks",
    "Highway",
    "LanguageModel",
    "Mixture",
    "Recurrent",
    "Sampled",
    "Softmax",
    "Stack",
    "TCN",
    "Transformer",
    "Windowed",
    "cross_entropy",
]
