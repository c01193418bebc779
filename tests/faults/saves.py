"""A run of nothing but saves, for faults between two of them: see `test_syscalls`.

Each state is a function of its step, so that any that is found can be compared.
"""

import sys
from pathlib import Path

import numpy as np

from rnnlab.training.checkpoints import Checkpoints

KEEP = 2


def state(step):
    """Returns what is saved as `step`."""
    return {"x": np.random.default_rng(step).normal(size=1000), "step": step}


def main():
    """Goes on from the newest step in a folder, for so many; prints what is durable."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])

    def saved(step):
        print(step, flush=True)

    with Checkpoints(folder, KEEP, saved) as checkpoints:
        checkpoints.tidy()
        whole, damaged = checkpoints.whole()
        for step in damaged:
            checkpoints.quarantine(step)
        first = 0 if whole is None else whole.step
        checkpoints.abandon(first)
        for step in range(first + 1, first + count + 1):
            checkpoints.save(step, state(step), {"step": step})


if __name__ == "__main__":
    main()
