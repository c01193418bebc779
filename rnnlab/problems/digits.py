"""Handwritten digits, read pixel by pixel."""

import dataclasses
import functools
import gzip
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.problems import checks
from rnnlab.problems.problem import Classes, Draw

HELD_OUT = 360  # of scikit-learn's 1,797 digits, the last: the test split
_LONGEST = 1 << 27  # bytes; MNIST has 47 million
NAMES = {"train": "train", "test": "t10k"}  # of splits; how MNIST's files begin


class Images(NamedTuple):
    """Images of one split.

    Attributes:
        pixels: [N, T], uint8, row by row from the top left.
        labels: [N], int32, the digits.
        white: the highest value of a pixel.
    """

    pixels: np.ndarray
    labels: np.ndarray
    white: int


@dataclasses.dataclass(frozen=True)
class Digits(Classes):
    """The pixels of an image of a digit, one a step; at the end, which digit it is.

    x is a pixel from 0 to 1 a step, row by row, or, permuted, in an order that is drawn
    once and the same for all images, splits and runs. Images are drawn from the split
    with replacement.

    Attributes:
        source: `digits`, the 1,797 images of 8 x 8 pixels that come with scikit-learn
            (T = 64), of which the last 360 are the test split; or a folder that holds
            MNIST (T = 784) in its four idx files, plain or as .gz, with its own splits.
        permuted: whether the pixels come in another order than that of the image.
        split: `train` or `test`.

    Raises:
        ImportError: when it draws, scikit-learn is not installed.
        ValueError: when it draws, the folder does not hold MNIST.

    References:
        Le, Jaitly, Hinton, A simple way to initialize recurrent networks of rectified
        linear units, 2015, https://arxiv.org/abs/1504.00941: both orders.
        LeCun, Cortes, Burges, The MNIST database, http://yann.lecun.com/exdb/mnist/
    """

    source: str = "digits"
    permuted: bool = False
    split: str = "train"

    def __post_init__(self):
        checks.one_of(self, "permuted", (False, True))
        checks.one_of(self, "split", NAMES)

    @property
    def inputs(self) -> int:
        """A pixel."""
        return 1

    @property
    def outputs(self) -> int:
        """The digits."""
        return 10

    @property
    def floor(self) -> float:
        """The entropy of the split's labels: ln 10 less 0.002 at the most."""
        share = np.bincount(load(self.source, self.split).labels, minlength=10)
        share = share[share > 0] / share.sum()
        return float(-np.sum(share * np.log(share)))

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        images = load(self.source, self.split)
        chosen = jax.random.randint(key, (rows,), 0, len(images.labels))
        pixels = jnp.asarray(images.pixels)[chosen].T
        if self.permuted:
            order = np.random.default_rng(0).permutation(len(pixels))  # one for all
            pixels = pixels[order]
        x = (pixels / images.white).astype(jnp.float32)
        y = jnp.asarray(images.labels)[chosen]
        return Draw(x[..., None], y[None], jnp.ones((1, rows)))


@functools.cache
def load(source: str, split: str) -> Images:
    """Returns the images of a split, on the host; see `Digits` for what it raises."""
    return _bundled(split) if source == "digits" else _mnist(source, split)


def _bundled(split: str) -> Images:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "Digits() needs scikit-learn, which is not installed; run"
            " `pip install 'rnnlab[digits]'` or pass the folder of MNIST as source."
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    kept = slice(None, -HELD_OUT) if split == "train" else slice(-HELD_OUT, None)
    return Images(pixels[kept].astype(np.uint8), labels[kept].astype(np.int32), 16)


def _mnist(folder: str, split: str) -> Images:
    pixels = _idx(folder, f"{NAMES[split]}-images-idx3-ubyte", 3)
    labels = _idx(folder, f"{NAMES[split]}-labels-idx1-ubyte", 1)
    return Images(pixels.reshape(len(labels), -1), labels.astype(np.int32), 255)


def _idx(folder: str, name: str, axes: int) -> np.ndarray:
    """Returns an array of bytes from an idx file: two zeros, 8, axes, sizes, values."""
    plain = pathlib.Path(folder) / name
    packed = plain.with_name(f"{name}.gz")
    if plain.is_file():
        data = plain.read_bytes()
    elif packed.is_file():
        with gzip.open(packed) as file:
            data = file.read(_LONGEST)
    else:
        raise ValueError(
            f"Digits needs {name} or {name}.gz in {folder!r}, found neither; pass"
            " source='digits' or the folder of MNIST's four files."
        )
    sizes = np.frombuffer(data[4 : 4 + 4 * axes], ">u4")
    if data[:4] != bytes([0, 0, 8, axes]) or len(data) != 4 + 4 * axes + sizes.prod():
        raise ValueError(
            f"Digits needs {name} to be an idx file of bytes with {axes} axes, got"
            f" {len(data)} bytes that are none; fetch the file again."
        )
    return np.frombuffer(data[4 + 4 * axes :], np.uint8).reshape(sizes)
