"""Flax linen modules above the time loop; `rnnlab.nn.nnx` holds the nnx adapter."""

from rnnlab.nn.language_model import LanguageModel
from rnnlab.nn.losses import cross_entropy
from rnnlab.nn.recurrent import Recurrent, Stack

__all__ = ["LanguageModel", "Recurrent", "Stack", "cross_entropy"]
