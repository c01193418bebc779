"""A softmax that meets a sample of the vocabulary in training, and all of it after."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.nn.losses import cross_entropy
from rnnlab.nn.outputs.linear import Linear

UNITS = 2**31 - 1  # the expected counts are whole numbers of shares of this


class Sampled(Linear):
    """softmax(W h + b), whose sum over the vocabulary is an estimate in training.

    The estimate is exp of the target's logit, and for each sampled class that is not
    the target, exp of its logit less the logarithm of how often it was to be
    expected. Its mean is the sum over the whole vocabulary, and the products do not
    grow with V: what does are passes over arrays like W, to make a gradient that is
    mostly zeros, to clip and to apply it. All rows of a batch share the
    samples; in training `apply` needs `rngs={"dropout": key}` for them. The nats of
    training are too low, as the logarithm of an estimate is.

    Class c is drawn in proportion to log(1 + 1 / (c + 1)), Zipf's law, so ids must be
    sorted by frequency, most frequent first, as `--tokens=word` does; another order
    only makes the estimate worse.

    Attributes:
        samples: S, the classes that are drawn; V for all of them, once each.
            (vocab_size, tied and project are those of `Linear`.)

    References:
        Bengio, Senecal, Adaptive importance sampling to accelerate training of a neural
        probabilistic language model, 2008, https://doi.org/10.1109/TNN.2007.912312
        Jean et al., On using very large target vocabulary for neural machine
        translation, 2015, https://arxiv.org/abs/1412.2007
        Blanc, Rendle, Adaptive sampled softmax with kernel based sampling, 2018,
        https://arxiv.org/abs/1712.00527 (the target's own logit, not corrected)
    """

    samples: int = 1024

    def setup(self):
        """Raises ValueError where there are fewer classes than samples."""
        if self.samples > self.vocab_size:
            raise ValueError(
                f"Sampled needs samples to be at most vocab_size={self.vocab_size}, got"
                f" {self.samples}; lower it, or use Softmax."
            )

    def nats(
        self, h: jax.Array, targets: jax.Array, table: jax.Array, train: bool = False
    ) -> jax.Array:
        """Returns the nats each target costs, in training an estimate, [...]."""
        h, kernel, bias = self._weights(h, table)
        if not train:
            return cross_entropy(h, kernel, bias, targets)
        drawn, expected = draw(self.make_rng("dropout"), self.vocab_size, self.samples)
        # One gather, so that the gradient is one scatter into [V, H].
        met = jnp.concatenate([drawn, targets.reshape(-1)])
        weights, biases = kernel[met], bias[met]
        true = jnp.sum(h * weights[self.samples :].reshape(h.shape), axis=-1)
        true += biases[self.samples :].reshape(true.shape)
        others = h @ weights[: self.samples].T + biases[: self.samples]
        others -= jnp.log(expected).astype(h.dtype)
        others = jnp.where(drawn == targets[..., None], -jnp.inf, others)
        return jnp.logaddexp(true, jax.nn.logsumexp(others, axis=-1)) - true


def draw(key: jax.Array, count: int, samples: int) -> tuple[jax.Array, jax.Array]:
    """Returns S classes, and how often each of them is drawn in the mean, [S] each.

    The classes lie side by side on a line of length S, each as long as it is to be
    expected, at most 1, and each piece of length 1 gives the class under one of its
    points: the most frequent are drawn in each batch, others twice at most.

    Args:
        key: for the points.
        count: C, the classes; the first is the most frequent.
        samples: S, at most C.
    """
    ends, expected = _line(count, samples)
    piece = UNITS // samples
    points = jax.random.randint(key, (samples,), 0, piece, jnp.int32)
    points += piece * jnp.arange(samples, dtype=jnp.int32)
    drawn = jnp.searchsorted(jnp.asarray(ends), points, side="right")
    return drawn, jnp.asarray(expected)[drawn]


def _line(count: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each class ends on the line, and its length, [C] each."""
    chances = np.log1p(1 / np.arange(1.0, count + 1)) / math.log1p(count)
    left = np.cumsum(chances[::-1])[::-1]  # of each class and those after it
    scales = (samples - np.arange(count)) / left
    capped = int(np.argmax(scales * chances <= 1 + 1e-9))  # classes of length 1
    lengths = np.minimum(1, scales[capped] * chances)
    lengths[:capped] = 1
    piece = UNITS // samples
    ends = np.rint(np.cumsum(lengths) * piece).astype(np.int32)
    ends[-1] = piece * samples
    return ends, (np.diff(ends, prepend=0) / piece).astype(np.float32)
