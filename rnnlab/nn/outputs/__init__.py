"""Output layers of language models: `rnnlab.nn.parts.Output`, a module each."""

from rnnlab.nn.outputs.softmax import Softmax

__all__ = ["Softmax"]
