"""Files are replaced whole, and errors name the file."""

import hashlib
import os

import pytest

from rnnlab import files
from rnnlab.errors import InputError, StorageError


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    value = {"b": [1, None, "é"], "c": {"d": 0.1}}
    files.write_json(path, {"old": 1})
    files.write_json(path, value)
    assert files.read_json(path) == value
    files.write_atomic(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert os.listdir(tmp_path) == ["a.json"]
    with pytest.raises(StorageError, match=f"{tmp_path}/none/x could not be written"):
        files.write_atomic(tmp_path / "none" / "x", "x")


def test_read_json_names_the_file(tmp_path):
    (tmp_path / "torn").write_text('{"a": ')
    for name in ("torn", "missing"):
        with pytest.raises(InputError, match=f"{tmp_path}/{name} should hold JSON"):
            files.read_json(tmp_path / name)


def test_sha256_is_that_of_the_content(tmp_path):
    content = bytes(range(256)) * 5000  # more than one read
    (tmp_path / "x").write_bytes(content)
    assert files.sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()
