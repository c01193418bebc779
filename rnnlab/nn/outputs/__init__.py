"""Output layers of language models: `rnnlab.nn.parts.Output`, a module each."""

from rnnlab.nn.outputs.adaptive import Adaptive
from rnnlab.nn.outputs.mixture import Mixture
from rnnlab.nn.outputs.sampled import Sampled
from rnnlab.nn.outputs.softmax import Softmax

__all__ = ["Adaptive", "Mixture", "Sampled", "Softmax"]
