"""Parameters go to a file and come back, and what does not fit is named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab.cells import HMLSTM, LSTM
from rnnlab.errors import InputError
from rnnlab.interop import files

pytest.importorskip("safetensors")


@pytest.mark.parametrize("cell", [LSTM(4), HMLSTM(4)], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_saved_comes_back(tmp_path, cell, dtype):
    params = cell.init(jax.random.key(0), 3)
    params = jax.tree.map(lambda a: a.astype(dtype), params)
    files.save(tmp_path / "params", params)
    held = files.load(tmp_path / "params", like=params)
    assert jax.tree.structure(held) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, held, params)


def test_another_library_reads_the_names(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    files.save(tmp_path / "params", {"layers": [{"kernel": jnp.ones((2, 3))}]})
    held = numpy.load_file(tmp_path / "params")
    assert list(held) == ["layers/0/kernel"] and held["layers/0/kernel"].sum() == 6


def test_what_does_not_fit_is_named(tmp_path):
    path, params = tmp_path / "params", LSTM(4).init(jax.random.key(0), 3)
    files.save(path, params)
    with pytest.raises(ValueError, match=r"missing are none, unknown recurrent"):
        files.load(path, like={k: params[k] for k in ("bias", "kernel")})
    with pytest.raises(ValueError, match=r"kernel as float32\[2, 16\].*\[3, 16\]"):
        files.load(path, like=LSTM(4).init(jax.random.key(0), 2))
    with pytest.raises(InputError, match=r"safetensors file, got .*missing"):
        files.load(tmp_path / "missing", like=params)
    path.write_bytes(b"no parameters")
    with pytest.raises(InputError, match="safetensors file"):
        files.load(path, like=params)


def test_a_dtype_that_could_not_be_read_again_is_named(tmp_path):
    with pytest.raises(ValueError, match="w in bfloat16; cast"):
        files.save(tmp_path / "params", {"w": jnp.ones(2, jnp.bfloat16)})
    assert not list(tmp_path.iterdir())
