"""A trained model, read back from its workdir alone."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

import experiments
from experiments.experiment import Experiment
from launch import records
from rnnlab.errors import InputError
from rnnlab.training import workdir
from rnnlab.training.best import best
from rnnlab.training.step import State, init
from rnnlab.training.stored import Stored


class Trained(NamedTuple):
    """What a checkpoint holds, its model built again.

    Attributes:
        record: experiment, configuration and data of the run.
        task: the task without its data.
        state: its parameters are those to use: their mean, where the run kept one.
    """

    record: records.Record
    task: Any
    state: State


class WithData(NamedTuple):
    """A trained model and the text that it was trained on.

    Attributes:
        record: experiment, configuration and data of the run.
        experiment: built with the configuration that is asked for.
        params: of the model.
        step: the number of updates that made them.
    """

    record: records.Record
    experiment: Experiment
    params: Any
    step: int


def with_data(path: str, given: Mapping[str, Any], split: str) -> WithData:
    """Returns the best checkpoint of a workdir, with its data.

    Args:
        path: the workdir.
        given: settings by name that differ from the run's.
        split: what --split names, which is needed.

    Raises:
        InputError: the folder is not a workdir, or the data has not this split.
        NoUsableCheckpoint: no checkpoint can be read.
        IncompatibleCheckpoint: the data is other than the run's.
    """
    record, _, state = restore(path)
    config = dataclasses.replace(record.config, **given)
    experiment = experiments.load(record.experiment).build(config)
    records.check_data(record, dataclasses.replace(record, data=experiment.record))
    known = experiment.task.splits
    if split not in known:
        raise InputError(
            f"--split must be one that the run's data has ({', '.join(known)}), got"
            f" {split}; name another."
        )
    return WithData(record, experiment, state.params, int(state.step))


def restore(path: str) -> Trained:
    """Returns the best checkpoint of a workdir, or the newest where none is best.

    Raises:
        InputError: the folder is not a workdir.
        NoUsableCheckpoint: no checkpoint can be read.
    """
    folder = workdir.resolve(path)
    if not any((folder / name).is_dir() for name in ("best", "checkpoints")):
        lacks = "has no checkpoints" if folder.is_dir() else "is not there"
        raise InputError(
            f"--workdir must be the folder of a run, got {folder}, which {lacks}; name"
            f" another."
        )
    return read(best(folder))


def read(stored: Stored) -> Trained:
    """Returns what one checkpoint holds.

    Raises:
        IncompatibleCheckpoint: the state is not that of the model.
        InputError: what lies beside the state is not what a run left there.
    """
    record = records.from_json(stored.metadata)
    task = experiments.load(record.experiment).rebuild(record.config, record.data)
    like = jax.eval_shape(lambda: init(task, record.config.training))
    state = stored.restore(like)
    return Trained(record, task, state._replace(params=state.used))
