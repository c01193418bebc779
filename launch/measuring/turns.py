"""What is compared runs side by side in one process, in turns.

On a shared machine a rate says little, a ratio within one turn much more.
"""

import functools
import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from launch.measuring import machine

Run = Callable[[], object]
Clock = Callable[[int], float]
Name = TypeVar("Name")


def in_turns(
    sides: Mapping[Name, Run], repeats: int, seconds: float
) -> dict[Name, np.ndarray]:
    """Returns the seconds that a call of each side took, one number a turn.

    Args:
        sides: functions that return when their work is done.
        repeats: the number of turns.
        seconds: what a side gets of each turn.
    """
    clocks = {name: functools.partial(clock, run) for name, run in sides.items()}
    return clocked(clocks, repeats, seconds)


def clocked(
    clocks: Mapping[Name, Clock], repeats: int, seconds: float
) -> dict[Name, np.ndarray]:
    """Returns the seconds that a call of each side took, one number a turn.

    In a turn each side is called as often as fills `seconds`. The first calls, which
    compile, are not counted, nor is the first of several in a turn.

    Args:
        clocks: functions that call a side so many times and return the mean seconds.
        repeats: the number of turns.
        seconds: what a side gets of each turn.
    """
    calls = {}
    for name, read in clocks.items():
        read(1)
        read(1)
        calls[name] = math.ceil(seconds / read(1))
    taken = {name: [] for name in clocks}
    for _ in range(repeats):
        for name, read in clocks.items():
            if calls[name] > 1:
                read(1)  # caches and threads belong to the side before
            taken[name].append(read(calls[name]))
    return {name: np.array(numbers) for name, numbers in taken.items()}


def clock(run: Run, calls: int) -> float:
    """Returns the mean seconds of a call."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


class Yardsticks:
    """A product and a copy, measured in the turns of what is compared.

    Args:
        product_in_torch: the product of `machine.product`, by torch.
    """

    def __init__(self, product_in_torch: Run):
        self._sides = {
            "product": machine.product(),
            "product in torch": product_in_torch,
            "copy": machine.copy(),
        }
        self._products: list[float] = []
        self._copies: list[float] = []

    def in_turns(
        self, sides: Mapping[str, Run], repeats: int, seconds: float
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns what `in_turns` does, and the seconds of one operation in each turn.

        Turn by turn: a neighbour slows the yardstick as it slows the sides.
        """
        taken = in_turns({**sides, **self._sides}, repeats, seconds)
        fastest = np.minimum(taken["product"], taken["product in torch"])
        self._products += fastest.tolist()
        self._copies += taken["copy"].tolist()
        operation = fastest / machine.PRODUCT_OPERATIONS
        return {name: taken[name] for name in sides}, operation

    def describe(self) -> str:
        """Returns how fast the machine was."""
        rate = machine.PRODUCT_OPERATIONS / statistics.median(self._products) / 1e9
        copied = machine.COPY_BYTES / statistics.median(self._copies) / 1e9
        return (
            f"A product of 2048 x 2048, by XLA or torch, whichever was faster, ran at"
            f" {rate:.0f} GFLOP/s, a copy at {copied:.1f} GB/s, read and written."
        )
