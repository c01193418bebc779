"""Which distribution over the vocabulary a language model ends in."""

import dataclasses

from rnnlab.nn import Softmax
from rnnlab.nn.parts import Output
from rnnlab.options import check, option


@dataclasses.dataclass(frozen=True)
class OutputLayer:
    """The output layer, beside `--tied`; by default one softmax."""

    project: int | None = option(
        None,
        "features of a linear map before the output weights; by default none",
        above=0,
        below=1_000_000,
    )
    label_smoothing: float = option(
        0.0,
        "share of a target's probability spread over the vocabulary in training",
        least=0,
        below=1,
        soft=True,
    )

    def __post_init__(self):
        check(self)

    def make(self, vocab_size: int, tied: bool) -> Output:
        """Returns the module.

        Args:
            vocab_size: V.
            tied: whether its weights are the embedding's.
        """
        return Softmax(vocab_size, tied, self.project, self.label_smoothing)
