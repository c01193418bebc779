"""From settings to an experiment: text, network and task."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from experiments.experiment import Experiment
from experiments.language_modeling import layers, limits, reading
from experiments.language_modeling.config import Config
from experiments.language_modeling.figures import describe
from experiments.language_modeling.pretrained import Pretrained
from experiments.language_modeling.task import LanguageTask
from experiments.language_modeling.vectors import Vectors
from rnnlab import engines
from rnnlab.data import sources, text, tokenizers
from rnnlab.data.lengths import VariedStream
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel
from rnnlab.training.mesh import ONE, Layout
from rnnlab.training.settings import Training


def build(config: Config, layout: Layout = ONE) -> Experiment:
    """Reads the text and returns the experiment.

    Args:
        config: its settings.
        layout: where its batches are to lie.

    Raises:
        InputError: the engine does not run here; the batch cannot be spread; the text
            cannot be read, or is too short for the batch or the shares, or all one
            token.
    """
    _check_spread(config, layout)
    if config.engine not in ("auto", *engines.here()):
        raise InputError(
            f"--engine={config.engine} does not run on the backend that JAX has here,"
            f" {jax.default_backend()}; use --engine=auto."
        )
    corpus = config.corpus()
    _check(config, corpus)
    record = {
        "fingerprint": corpus.fingerprint,
        "sha256": corpus.sha256,
        "tokenizer": corpus.tokenizer.to_json(),
    }
    size = corpus.tokenizer.size
    share, rows = layout.share(config.batch_size), config.eval_batch_size
    streams = {
        split: _train_stream(config, ids, size, share)
        if split == "train"
        else EvalStream(ids, rows, config.length, size, layout.share(rows))
        for split, ids in corpus.splits.items()
    }
    task = _task(config, size, streams, layout)
    if config.init_from is not None:
        source = Pretrained(config.init_from, config, corpus.tokenizer, rebuild)
        task = dataclasses.replace(task, pretrained=source)
    elif config.vectors is not None:
        source = Vectors(config.vectors, corpus.tokenizer, config.entry)
        task = dataclasses.replace(task, pretrained=source)
    return Experiment(
        task=task,
        training=config.training,
        record=record,
        describe=lambda loss, split="valid": describe(corpus, loss, split),
        costs=lambda params, split: reading.split_costs(task, params, split),
        check=lambda: _check_run(config, task, layout),
        targets=streams["train"].tokens / len(streams["train"]),
    )


def rebuild(config: Config, record: Mapping[str, Any]) -> LanguageTask:
    """Returns the task without its text, to restore and use a trained model.

    Its engine is what suits the cell: the run's may need another machine.
    """
    size = tokenizers.from_json(record.get("tokenizer")).size
    return _task(dataclasses.replace(config, engine="auto"), size, {}, ONE)


def _check(config: Config, corpus: text.Corpus) -> None:
    """Raises InputError for a text that there is nothing to learn from."""
    if corpus.tokenizer.size < 2:
        raise InputError(
            f"A text of two different tokens or more was wanted, and --data has one of"
            f" --tokens={config.tokens} only; name another --data, or take other"
            f" --tokens."
        )
    if "valid" not in corpus.splits:
        _check_unvalidated(config.training)
    asked = zip(sources.SPLITS, config.shares(), strict=True)
    lacking = [split for split, share in asked if share and split not in corpus.splits]
    if lacking and sources.WHOLE in corpus.sha256:
        raise InputError(
            f"A text long enough to be split by --fractions={config.fractions} was"
            f" wanted, and --data leaves nothing for {lacking[0]}; name a longer"
            f" --data, or give {lacking[0]} a share of 0."
        )


def _check_unvalidated(training: Training) -> None:
    """Raises InputError for what would wait for a validation, where there is none."""
    nonmonotone = training.averaging.nonmonotone
    asgd = f"--average=asgd with --nonmonotone={nonmonotone}"
    for waits, name, way_out in (
        (training.averaging.waits, asgd, "take --nonmonotone=0"),
        (training.schedule == "plateau", "--schedule=plateau", "take another"),
        (training.patience is not None, f"--patience={training.patience}", "drop it"),
    ):
        if waits:
            raise InputError(
                f"{name} needs a split valid to wait for, which --data has not;"
                f" {way_out}."
            )


def _check_run(config: Config, task: LanguageTask, layout: Layout) -> None:
    """Raises where the run cannot be, or not begin as it is told to."""
    limits.check(config, task, layout)
    if task.pretrained is not None:
        task.pretrained.check(task)


def _check_spread(config: Config, layout: Layout) -> None:
    """Raises InputError unless each device has as many rows of a training batch."""
    size = config.batch_size
    more = layout.padded(size)
    if more != size:
        least = layout.padded(1)
        fewer = more - least
        ways = [f"--batch_size={fits}" for fits in (fewer, more) if fits]
        raise InputError(
            f"--batch_size must be a multiple of the {least} devices, which share its"
            f" rows, got {size}; take {' or '.join(ways)}."
        )


def _train_stream(
    config: Config, ids: np.ndarray, size: int, share: slice
) -> TrainStream:
    """Returns the windows to train on, of one length or of several."""
    given = ids, config.batch_size, config.length, size, share
    if config.length_buckets == 1:
        return TrainStream(*given)
    return VariedStream(*given, config.length_buckets)


def _task(
    config: Config, vocab_size: int, streams: Mapping[str, Any], layout: Layout
) -> LanguageTask:
    drop = config.regularization
    model = LanguageModel(
        config.entry,
        layers.make(config),
        config.output.make(vocab_size, config.tied),
        embedding_dropout=drop.embedding_dropout,
        token_dropout=drop.token_dropout,
        dropout_out=drop.dropout_out,
        variational=drop.variational,
        ar=drop.ar,
        tar=drop.tar,
        rows_first=layout.padded(1) > 1,  # there are several devices
    )
    rows = {
        "train": config.batch_size,
        "valid": layout.padded(config.eval_batch_size),
        "test": layout.padded(config.eval_batch_size),
    }
    length = config.length if config.length_buckets > 1 else None
    return LanguageTask(model, streams, rows, config.init_scale, length, config.tied)
