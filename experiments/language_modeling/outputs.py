"""Which distribution over the vocabulary a language model ends in."""

import dataclasses
import itertools

from rnnlab.errors import InputError
from rnnlab.nn import Adaptive, Mixture, Sampled, Softmax
from rnnlab.nn.parts import Output
from rnnlab.options import check, option, whole_numbers

# The kinds of --output -> the options that one alone has.
OWN = {
    "softmax": ("label_smoothing",),
    "adaptive": ("cutoffs", "tail_factor"),
    "mixture": ("experts",),
    "sampled": ("samples",),
}


@dataclasses.dataclass(frozen=True)
class OutputLayer:
    """The output layer, beside `--tied`; by default one softmax."""

    output: str = option(
        "softmax",
        "one softmax; a head of frequent words and tails of rare ones; a mixture of"
        " softmaxes; or one trained on a sample of the vocabulary",
        choices=OWN,
        later=True,
    )
    project: int | None = option(
        None,
        "features of a linear map before the output weights, of a mixture's experts;"
        " by default none, and those of the last layer",
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
    cutoffs: str | None = option(
        None,
        "first ids of adaptive tails; by default 2000,10000",
        later=True,
        listed=True,
    )
    tail_factor: int | None = option(
        None,
        "by which adaptive tails have fewer features, each than the one before; by"
        " default 4, and 1 with --tied",
        above=0,
        below=2**16,
        later=True,
    )
    experts: int | None = option(
        None, "of a mixture; by default 10", above=0, below=1025, later=True
    )
    samples: int | None = option(
        None,
        "words that a batch meets in sampled training; by default 1024",
        above=0,
        soft=True,
        later=True,
    )

    def __post_init__(self):
        check(self)
        for kind, name in ((k, name) for k, names in OWN.items() for name in names):
            given = getattr(self, name)
            if given and kind != self.output:
                raise InputError(
                    f"--{name} is for --output={kind}, got {given} with"
                    f" --output={self.output}; leave it out, or take --output={kind}."
                )
        self._cutoffs()

    def _cutoffs(self) -> tuple[int, ...]:
        """Returns the first ids of adaptive tails.

        Raises:
            InputError: they are not whole numbers that rise from above 0.
        """
        text = "2000,10000" if self.cutoffs is None else self.cutoffs
        found = whole_numbers("cutoffs", text)
        if any(a >= b for a, b in itertools.pairwise((0, *found))):
            raise InputError(
                f"--cutoffs must rise from above 0, like 2000,10000, got {text};"
                f" put them in order."
            )
        return found

    def make(self, vocab_size: int, tied: bool) -> Output:
        """Returns the module.

        Args:
            vocab_size: V.
            tied: whether its weights are the embedding's.

        Raises:
            InputError: there are fewer words than the output needs, or tails of other
                features than a tied embedding has.
        """
        match self.output:
            case "adaptive":
                return self._adaptive(vocab_size, tied)
            case "mixture":
                return Mixture(vocab_size, tied, self.project, self.experts or 10)
            case "sampled":
                return self._sampled(vocab_size, tied)
        return Softmax(vocab_size, tied, self.project, self.label_smoothing)

    def _adaptive(self, vocab_size: int, tied: bool) -> Adaptive:
        cutoffs = self._cutoffs()
        if cutoffs[-1] >= vocab_size:
            raise InputError(
                f"--cutoffs must be below the {vocab_size} words of the vocabulary, got"
                f" {cutoffs[-1]}; lower them, or take --output=softmax."
            )
        factor = self.tail_factor or (1 if tied else 4)
        if tied and factor != 1:
            raise InputError(
                f"--tied needs --tail_factor=1, since rare words have as many features"
                f" in the embedding, got {factor}; leave one of them out."
            )
        return Adaptive(vocab_size, cutoffs, factor, tied, self.project)

    def _sampled(self, vocab_size: int, tied: bool) -> Sampled:
        samples = self.samples or 1024
        if samples > vocab_size:
            raise InputError(
                f"--samples must be at most the {vocab_size} words of the vocabulary,"
                f" got {samples}; lower it, or take --output=softmax."
            )
        return Sampled(vocab_size, tied, self.project, samples)
