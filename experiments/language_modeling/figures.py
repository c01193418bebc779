"""A loss in the figures that people quote."""

import math
from collections.abc import Mapping

from rnnlab.data.text import Corpus


def describe(corpus: Corpus, loss: float, split: str) -> Mapping[str, float]:
    """Returns a loss in nats a token of a split as perplexity and in bits.

    Subwords have both, by the bytes and words of the split: what a token is differs
    from one vocabulary to another. The first token counts there as the mean of others.
    """
    bits = loss / math.log(2)
    match corpus.tokenizer.kind:
        case "word":
            return {"perplexity": _exp(loss), "bits_per_word": bits}
        case "byte":
            return {"bits_per_byte": bits, "perplexity": _exp(loss)}
        case "subword":
            known = split if split in corpus.splits else "train"
            extent, tokens = corpus.extents[known], len(corpus.splits[known])
            return {
                "perplexity_per_token": _exp(loss),
                "perplexity_per_word": _exp(loss * tokens / extent.words),
                "bits_per_byte": loss * tokens / extent.bytes / math.log(2),
            }
    return {"bits_per_char": bits, "perplexity": _exp(loss)}


def _exp(loss: float) -> float:
    """Returns its exponential, or for what is beyond floats a large number."""
    return math.exp(min(loss, 700.0))
