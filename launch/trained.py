"""A trained model, read back from its workdir alone."""

from typing import Any, NamedTuple

import jax

import experiments
from launch import records
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


def restore(path: str) -> Trained:
    """Returns the best checkpoint of a workdir, or the newest where none is best.

    Raises:
        InputError: the folder is not a workdir.
        NoUsableCheckpoint: no checkpoint can be read.
    """
    return read(best(workdir.resolve(path)))


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
