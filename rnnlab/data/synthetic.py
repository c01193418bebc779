"""Toy problems that ask for one thing each: drawn anew, as many as are wanted.

Time is the first axis; all are drawn by NumPy, from the generator that is given.
"""

from typing import NamedTuple

import numpy as np


class Problem(NamedTuple):
    """A batch of a toy problem.

    Attributes:
        x: [T, B, I], float32.
        y: [T, B, O], float32: what should be said at each step.
        counts: [T], float32: how much each step's answer counts; 0 for not at all.
    """

    x: np.ndarray
    y: np.ndarray
    counts: np.ndarray


def parity(rng: np.random.Generator, steps: int, rows: int) -> Problem:
    """Returns bits, 1 or -1, and after each whether there were an odd number of ones.

    x is [T, B, 1], y [T, B, 1] is 1 for odd and 0 for even. A bit changes the answer
    whatever came before, so that a state that only adds up, or only fades, cannot
    follow.

    References:
        Grazzi et al., Unlocking state-tracking in linear RNNs through negative
        eigenvalues, 2024, https://arxiv.org/abs/2411.12537: which ones cannot.
    """
    bits = rng.integers(0, 2, (steps, rows, 1))
    odd = np.cumsum(bits, axis=0) % 2
    x = (2 * bits - 1).astype(np.float32)
    return Problem(x, odd.astype(np.float32), np.ones(steps, np.float32))


def adding(rng: np.random.Generator, steps: int, rows: int) -> Problem:
    """Returns numbers, two of which are marked, and at the end the sum of these two.

    x is [T, B, 2], numbers uniform in [0, 1] and marks, one in each half of the
    sequence; y [T, B, 1]. To answer 1 always has the mean squared error 1/6.

    Raises:
        ValueError: fewer than two steps.

    References:
        Hochreiter, Schmidhuber, Long short-term memory, 1997,
        https://doi.org/10.1162/neco.1997.9.8.1735
    """
    if steps < 2:
        raise ValueError(f"adding needs at least 2 steps, got {steps}; ask for more.")
    numbers = rng.random((steps, rows))
    marks = np.zeros((steps, rows))
    row = np.arange(rows)
    marks[rng.integers(0, steps // 2, rows), row] = 1
    marks[rng.integers(steps // 2, steps, rows), row] = 1
    x = np.stack([numbers, marks], axis=-1).astype(np.float32)
    y = np.zeros((steps, rows, 1), np.float32)
    y[-1, :, 0] = (numbers * marks).sum(0)
    counts = np.zeros(steps, np.float32)
    counts[-1] = 1
    return Problem(x, y, counts)
