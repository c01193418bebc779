"""What an n-gram model makes of a text: the baseline of every language model."""

import dataclasses
import time
from typing import Any

import numpy as np

from experiments.language_modeling.figures import describe
from experiments.language_modeling.kneser_ney import KneserNey
from experiments.language_modeling.source import Source
from rnnlab.errors import InputError
from rnnlab.options import option


@dataclasses.dataclass(frozen=True)
class NGram(Source):
    """A text, and how far back its model looks."""

    order: int = option(5, "tokens of the longest n-grams", above=0)


def measure(settings: NGram) -> dict[str, Any]:
    """Counts the train split and returns the figures of the others, as JSON data.

    Each token but the first of a split counts once. `ngrams` are those of all lengths,
    `bytes` what they take in memory, `seconds` go by while they are counted.

    Raises:
        InputError: the text cannot be read, or is too short.
    """
    corpus = settings.corpus()
    train, size = corpus.splits["train"], corpus.tokenizer.size
    others = {k: ids for k, ids in corpus.splits.items() if k != "train"}
    short = [split for split, ids in others.items() if len(ids) < 2]
    if short or not others:
        raise InputError(
            f"Splits of at least 2 tokens were wanted to measure on, and --data has"
            f" {'fewer for ' + short[0] if short else 'none but train'}; name a longer"
            f" --data, or other --fractions."
        )
    began = time.perf_counter()
    model = KneserNey.fit(train, size, settings.order)
    found: dict[str, Any] = {
        "order": settings.order,
        "ngrams": model.size,
        "bytes": model.memory,
        "seconds": round(time.perf_counter() - began, 2),
    }
    for split, ids in others.items():
        loss = -float(np.log(model.probabilities(ids)).mean())
        found[split] = {"loss": loss, **describe(corpus, loss, split)}
    return found | {
        "data": {"fingerprint": corpus.fingerprint, "sha256": corpus.sha256}
    }
