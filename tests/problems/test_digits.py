"""Images of digits: from scikit-learn, and from a folder in MNIST's format."""

import gzip
import sys

import jax
import numpy as np
import pytest

from rnnlab.problems import Digits
from rnnlab.problems.digits import load


def draw(problem, rows=40):
    return jax.tree.map(
        np.asarray, jax.jit(problem.draw, static_argnums=1)(jax.random.key(0), rows)
    )


def idx(path, values):
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    data = bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def mnist(tmp_path):
    rng = np.random.default_rng(0)
    for split, images, end in (("train", 30, ".gz"), ("t10k", 10, "")):
        pixels, labels = rng.integers(0, 256, (images, 4, 4)), np.arange(images) % 10
        idx(tmp_path / f"{split}-images-idx3-ubyte{end}", pixels)
        idx(tmp_path / f"{split}-labels-idx1-ubyte{end}", labels)
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows_are_images_of_the_split(split):
    from sklearn.datasets import load_digits

    data = load_digits()
    kept = slice(0, 1437) if split == "train" else slice(1437, 1797)
    known = {
        image.ravel().tobytes(): label
        for image, label in zip(data.images[kept], data.target[kept], strict=True)
    }
    x, y, _ = draw(Digits(split=split))
    assert x.shape == (64, 40, 1) and 0 <= x.min() and x.max() == 1
    for row in range(40):
        assert known[(x[:, row, 0] * 16).astype(float).tobytes()] == y[0, row]


def test_permuted_is_one_order_for_all():
    plain, other = draw(Digits()), draw(Digits(permuted=True))
    order = np.random.default_rng(0).permutation(64)
    np.testing.assert_array_equal(plain.x[order], other.x)
    np.testing.assert_array_equal(plain.y, other.y)
    assert not np.array_equal(plain.x, other.x)


def test_a_folder_of_idx_files_is_read(mnist):
    for split, images in (("train", 30), ("test", 10)):
        problem = Digits(str(mnist), split=split)
        x, y, _ = draw(problem, 200)
        known = load(str(mnist), split)
        assert known.pixels.shape == (images, 16)
        assert problem.floor == pytest.approx(np.log(10))
        label = {p.tobytes(): n for p, n in zip(*known[:2], strict=True)}
        assert {*y[0]} == {*range(10)}
        for row in range(200):
            pixels = np.round(x[:, row, 0] * 255).astype(np.uint8)
            assert label[pixels.tobytes()] == y[0, row]


def test_what_is_not_there_is_named(mnist, tmp_path):
    (mnist / "t10k-images-idx3-ubyte").write_bytes(b"PNG")
    with pytest.raises(ValueError, match="an idx file of bytes with 3 axes, got 3"):
        draw(Digits(str(mnist), split="test"))
    (mnist / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(ValueError, match=r"needs t10k-images-idx3-ubyte or .*\.gz in"):
        draw(Digits(str(mnist), split="test"))


def test_scikit_learn_missing_is_named(monkeypatch):
    load.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'rnnlab\[digits\]'"):
        Digits().draw(jax.random.key(0), 3)
