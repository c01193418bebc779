"""How far a mean over a text may lie from that over other texts of its kind."""

import numpy as np

LEVEL = 0.95
BLOCK = 200  # targets that are drawn together
LEAST = 20  # blocks that a text is cut into, where it has as many targets
DRAWS = 1000


def interval(costs: np.ndarray) -> tuple[float, float]:
    """Returns the ends of the bootstrap interval of the mean, at `LEVEL`.

    Neighbours are alike: a hard passage has many dear tokens. To draw them one by one
    would give too small an interval, so that whole blocks are drawn, end to end in the
    text and as good as independent. It says nothing of other seeds in training, nor of
    texts of another kind.

    Args:
        costs: nats of each target in the order of the text, [N].

    References:
        Künsch, The jackknife and the bootstrap for general stationary observations,
        1989, https://doi.org/10.1214/aos/1176347265
    """
    from scipy import stats  # a second, which only an evaluation should take

    mean = float(costs.mean(dtype=np.float64))
    size = max(1, min(BLOCK, len(costs) // LEAST))
    starts = np.arange(0, len(costs), size)
    if len(starts) < 2:
        return mean, mean
    totals = np.add.reduceat(costs.astype(np.float64), starts)
    counts = np.diff(np.append(starts, len(costs)))
    found = stats.bootstrap(
        (totals, counts),
        lambda totals, counts, axis: totals.sum(axis) / counts.sum(axis),
        n_resamples=DRAWS,
        batch=100,
        vectorized=True,
        paired=True,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    low, high = found.confidence_interval
    return float(low), float(high)
