"""Flax linen modules above the time loop; `rnnlab.nn.nnx` holds the nnx adapter."""

from rnnlab.nn.language_model import LanguageModel
from rnnlab.nn.losses import cross_entropy
from rnnlab.nn.outputs import Softmax
from rnnlab.nn.recurrent import Bidirectional, Recurrent
from rnnlab.nn.stack import Highway, Stack

__all__ = [
    "Bidirectional",
    "Highway",
    "LanguageModel",
    "Recurrent",
    "Softmax",
    "Stack",
    "cross_entropy",
]
