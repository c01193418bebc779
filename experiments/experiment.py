"""What an experiment hands to the commands in `launch`."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rnnlab.training.settings import Training
from rnnlab.training.task import Task


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One configured experiment, ready to be trained or evaluated.

    Attributes:
        task: what is learned.
        training: how.
        record: JSON data that a checkpoint keeps: `fingerprint`, which names the
            data, and all that is needed to use the model without the data.
        describe: turns a loss in nats, on valid if no split is named after it, into
            the figures people quote.
        costs: (parameters, split) -> the nats of each target of a split, in the order
            of the data, [N].
        targets: targets in a training batch, the mean of an epoch's.
        check: raises InputError where it is more than this machine can train.
    """

    task: Task
    training: Training
    record: Mapping[str, Any]
    describe: Callable[..., Mapping[str, float]]
    costs: Callable[[Any, str], np.ndarray]
    targets: float
    check: Callable[[], None]
