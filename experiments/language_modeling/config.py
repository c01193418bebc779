"""The settings of a language model, and the experiment they describe."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from experiments.experiment import Experiment
from experiments.language_modeling.task import LanguageTask
from rnnlab import engines
from rnnlab.cells import CELLS
from rnnlab.data import text, tokenizers
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.data.tokenizers import TOKENIZERS
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel
from rnnlab.options import check, option
from rnnlab.training.settings import Training


@dataclasses.dataclass(frozen=True)
class Config:
    """Text, network and training; the defaults suit two cores and three minutes."""

    data: str = option(
        "",
        "text file, folder or archive with train/valid/test files, or tfds:NAME;"
        " by default the language reference that Python carries",
        free=True,
    )
    tokens: str = option("char", "what a token is", choices=TOKENIZERS)
    vocab_size: int | None = option(None, "most frequent words kept", above=1)
    split: str = option("90/5/5", "train/valid/test shares of a single text")
    data_dir: str | None = option(None, "folder of prepared tfds data", free=True)
    cache_dir: str | None = option(
        None, "folder of tokenised text; by default ~/.cache/rnnlab", free=True
    )

    cell: str = option("lstm", "what a step computes", choices=CELLS)
    engine: str = option(
        "auto",
        "how steps are executed; all give the same numbers",
        choices=("auto", *engines.ENGINES),
        free=True,
    )
    features: int = option(256, "units a layer", above=0)
    layers: int = option(1, "recurrent layers", above=0)
    embedding: int | None = option(None, "of a token; by default as features", above=0)
    tied: bool = option(False, "use the embedding as output weights")
    dropout: float = option(0.0, "share of values dropped", least=0, below=1)
    init_scale: float | None = option(
        None, "draw all parameters from [-init_scale, init_scale]", above=0
    )

    batch_size: int = option(32, "rows of text side by side", above=0)
    length: int = option(64, "steps of truncated backpropagation", above=0)
    eval_batch_size: int = option(20, "rows in evaluation", above=0)

    training: Training = dataclasses.field(default_factory=Training)

    def __post_init__(self):
        check(self)
        self.fractions()
        if self.tied and self.embedding not in (None, self.features):
            raise InputError(
                f"--tied needs --embedding to equal --features={self.features}, got"
                f" {self.embedding}; leave --embedding out."
            )

    def fractions(self) -> tuple[float, float, float]:
        """Returns the shares of train, valid and test, which sum to one."""
        parts = self.split.split("/")
        if len(parts) != 3 or not all(part.isdecimal() for part in parts):
            raise InputError(
                f"--split must be three whole numbers like 90/5/5, got {self.split!r}."
            )
        train, valid, test = (int(part) for part in parts)
        total = train + valid + test
        if train == 0:
            raise InputError(f"--split needs a share for train, got {self.split!r}.")
        return train / total, valid / total, test / total


def build(config: Config) -> Experiment:
    """Reads the text and returns the experiment.

    Raises:
        InputError: the text cannot be read, or is too short for the batch.
    """
    corpus = text.load(
        config.data,
        config.tokens,
        config.vocab_size,
        config.fractions(),
        config.data_dir,
        config.cache_dir,
    )
    record = {
        "fingerprint": corpus.fingerprint,
        "tokenizer": corpus.tokenizer.to_json(),
    }
    size = corpus.tokenizer.size
    streams = {
        split: TrainStream(ids, config.batch_size, config.length, size)
        if split == "train"
        else EvalStream(ids, config.eval_batch_size, config.length, size)
        for split, ids in corpus.splits.items()
    }
    return Experiment(
        task=_task(config, size, streams),
        training=config.training,
        record=record,
        describe=lambda loss: describe(config.tokens, loss),
        targets=config.batch_size * config.length,
    )


def rebuild(config: Config, record: Mapping[str, Any]) -> LanguageTask:
    """Returns the task without its text, to restore and use a trained model."""
    size = tokenizers.from_json(record["tokenizer"]).size
    return _task(config, size, {})


def describe(tokens: str, loss: float) -> Mapping[str, float]:
    """Returns a loss in nats a token as perplexity, or in bits."""
    match tokens:
        case "word":
            return {"perplexity": math.exp(min(loss, 700.0))}
        case "byte":
            return {"bits_per_byte": loss / math.log(2)}
    return {"bits_per_char": loss / math.log(2)}


def _task(config: Config, vocab_size: int, streams: Mapping[str, Any]) -> LanguageTask:
    cell = CELLS[config.cell](config.features)
    engine = (
        engines.auto(cell)
        if config.engine == "auto"
        else engines.ENGINES[config.engine]()
    )
    model = LanguageModel(
        vocab_size=vocab_size,
        embedding=config.embedding or config.features,
        cells=(cell,) * config.layers,
        engine=engine,
        dropout=config.dropout,
        tied=config.tied,
    )
    rows = {
        "train": config.batch_size,
        "valid": config.eval_batch_size,
        "test": config.eval_batch_size,
    }
    return LanguageTask(model, streams, rows, config.init_scale)
