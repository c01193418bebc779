"""What a run may ask of its machine: whole numbers of 32 bits, and memory.

Asked before anything is compiled: what comes of it later is a number that has gone
round, or the end of the process.
"""

import math
import os

import jax

from experiments.language_modeling.config import Config
from experiments.language_modeling.task import LanguageTask
from rnnlab.data.lengths import buckets
from rnnlab.errors import InputError
from rnnlab.options import flat
from rnnlab.training import step
from rnnlab.training.mesh import Layout

MOST = 2**31 - 1  # what int32 holds
GIB = 2**30


def check(config: Config, task: LanguageTask, layout: Layout) -> None:
    """Raises InputError where the run is longer or larger than it can be."""
    _check_steps(config, task.steps_per_epoch)
    _check_memory(config, task, layout)


def _check_steps(config: Config, epoch: int) -> None:
    """Raises unless steps are int32 and the warm-up ends within the run."""
    training = config.training
    settings = flat(training)
    for name in ("epochs", "decay_after", "average_after"):
        count = settings[name]
        if count * epoch > MOST and not (name == "epochs" and training.steps):
            raise InputError(
                f"--{name} must be at most {MOST // epoch}, since an epoch of this"
                f" --data has {epoch} steps and a run no more than {MOST}, got {count}."
            )
    total = training.steps or training.epochs * epoch
    if training.warmup > total:
        raise InputError(
            f"--warmup must not exceed the {total} steps of the run, got"
            f" {training.warmup}; lower it, or raise --epochs."
        )


def _check_memory(config: Config, task: LanguageTask, layout: Layout) -> None:
    """Raises where the least that a device needs for a step is more than there is."""
    here = _memory()
    rows = max(config.layers * config.batch_size, config.eval_batch_size)
    steps = max([config.length, *buckets(config.length, config.length_buckets)])
    each = config.features + config.body.attended(steps)
    outputs = 4 * rows * steps * each // layout.padded(1)
    try:
        state = jax.eval_shape(lambda: step.init(task, config.training))
        held = _bytes(layout.like(task, state)) + _bytes(state.params)  # the gradient
    except MemoryError:
        held = here
    if held + outputs >= here:
        raise InputError(
            f"The run must fit into the {here / GIB:.1f} GiB of memory here, but"
            f" parameters, their gradient and the optimizer's state need"
            f" {held / GIB:.1f} or more, and the outputs of the layers"
            f" {outputs / GIB:.1f}; lower --features, --embedding, --layers, --length,"
            f" --context, --batch_size or --eval_batch_size."
        )


def _bytes(tree: object) -> int:
    """Returns the bytes of abstract arrays, of those that are cut one device's part."""
    return sum(
        math.prod(
            leaf.sharding.shard_shape(leaf.shape) if leaf.sharding else leaf.shape
        )
        * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )


def _memory() -> int:
    """Returns the bytes of the device, or of the machine where it has none."""
    found = jax.local_devices()[0].memory_stats() or {}
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return found.get("bytes_limit", pages)
