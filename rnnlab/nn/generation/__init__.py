"""Text from a language model: drawn, searched for, or scored.

A model is any hashable object with two methods, as `rnnlab.nn.LanguageModel` has them:

    initial((B,)) -> carries                                # each leaf [B, ...]
    apply({"params": params}, carries, tokens) -> carries, logits  # [T, B] -> [T, B, V]
"""

from rnnlab.nn.generation.beam import Found, search
from rnnlab.nn.generation.drawing import sample
from rnnlab.nn.generation.reading import Place, read
from rnnlab.nn.generation.sampling import Sampling
from rnnlab.nn.generation.scoring import score

__all__ = ["Found", "Place", "Sampling", "read", "sample", "score", "search"]
