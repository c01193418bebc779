"""Windows of lengths around T, of few different ones: each is a program of its own.

Merity et al. draw each window's length anew, N(T, 5 * 5) in 95 of 100 and otherwise
N(T / 2, 5 * 5), so that tokens do not always stand at the same places of a window. Here
an epoch has so many windows of each of a few lengths, in an order that is drawn anew:
as many compilations as lengths, and a batch depends on its number alone.

References:
    Merity, Keskar, Socher, Regularizing and optimizing LSTM language models, 2018,
    https://arxiv.org/abs/1708.02182
"""

import statistics

import numpy as np

from rnnlab.data.streams import Batch, TrainStream

DEVIATION = 5  # steps
SHORT = 0.05  # of the windows, those around T / 2
LEAST = 5  # steps of a window


def buckets(length: int, count: int) -> dict[int, float]:
    """Returns the shares of the windows by their length, no more than `count`.

    The last length is T / 2; the others are at the middles of equally probable parts
    of N(T, 5 * 5), those nearest to T first.
    """
    spread = statistics.NormalDist(length, DEVIATION)
    parts = count - 1
    around = [spread.inv_cdf((k + 0.5) / parts) for k in range(parts)]
    around.sort(key=lambda steps: abs(steps - length))
    shares: dict[int, float] = {}
    for steps, share in [
        *((steps, (1 - SHORT) / parts) for steps in around),
        (length / 2, SHORT),
    ]:
        held = max(round(steps), min(LEAST, length))
        shares[held] = shares.get(held, 0.0) + share
    return shares


def counts(shares: dict[int, float], row: int) -> dict[int, int]:
    """Returns the windows of each length that fit into `row` targets, near its share.

    {} where not one fits.
    """
    mean = sum(steps * share for steps, share in shares.items())
    for windows in range(int(row / mean), 0, -1):
        wanted = [share * windows for share in shares.values()]
        found = [int(number) for number in wanted]
        # What is left goes to the largest remainders.
        rest = np.argsort([n - w for n, w in zip(found, wanted, strict=True)])
        for place in rest[: windows - sum(found)]:
            found[place] += 1
        if sum(n * steps for n, steps in zip(found, shares, strict=True)) <= row:
            made = zip(shares, found, strict=True)
            return {steps: n for steps, n in made if n}
    return {}


class VariedStream(TrainStream):
    """A `TrainStream` whose windows have lengths around T, N of them.

    The order is that of the number of the epoch, and not of a run's seed: runs that
    are compared, or trained side by side, see the same batches.

    Args:
        ids: Integer ids [N], a memory map or a plain array; no copy is made.
        batch: B, the number of rows.
        length: T.
        vocab_size: Ids must be below it; checked window by window.
        rows: Those of the B that are read and handed out; all by default.
        count: Of lengths, 2 or more.

    Raises:
        InputError: There are fewer than B * T + 1 ids.
    """

    def __init__(
        self,
        ids: np.ndarray,
        batch: int,
        length: int,
        vocab_size: int,
        rows: slice | None = None,
        count: int = 2,
    ):
        super().__init__(ids, batch, length, vocab_size, rows)
        row = len(self._rows) - 1
        made = counts(buckets(length, count), row) or {length: 1}
        self._lengths = np.repeat([*made], [*made.values()])
        self._windows = len(self._lengths)
        self._mask = np.ones((max(made), self._rows.shape[1]), bool)
        self._mask.flags.writeable = False
        self._epoch, self._ends = -1, self._lengths

    @property
    def lengths(self) -> tuple[int, ...]:
        """The different lengths, ascending."""
        return tuple(np.unique(self._lengths).tolist())

    @property
    def tokens(self) -> int:
        """The number of targets in an epoch."""
        return int(self._lengths.sum()) * self._batch

    def __getitem__(self, k: int) -> Batch:
        if k < 0:
            raise IndexError(k)
        epoch, k = divmod(k, self._windows)
        if epoch != self._epoch:
            order = np.random.default_rng(epoch).permutation(self._lengths)
            self._epoch, self._ends = epoch, order.cumsum()
        start = int(self._ends[k - 1]) if k else 0
        end = int(self._ends[k])
        window = self._rows[start : end + 1]
        return self._batch_of(window, self._mask[: end - start], first=k == 0)
