"""Files are replaced whole, and errors name the file."""

import hashlib
import os
import re
from pathlib import Path

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


def test_lines_are_added_and_a_torn_one_is_cut_off(tmp_path):
    path = tmp_path / "a.jsonl"
    for value in ({"b": 1}, [None]):
        files.append_json(path, value)
    assert path.read_text() == '{"b": 1}\n[null]\n'
    path.write_text('{"b": 1}\n[nu')
    files.cut_torn(path)
    assert path.read_text() == '{"b": 1}\n'
    path.write_text("[nu")
    files.cut_torn(path)
    assert path.read_text() == ""
    files.cut_torn(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(ValueError):
        files.append_json(path, float("nan"))


def test_a_disk_that_is_full_is_told_with_what_is_free(tmp_path):
    with pytest.raises(StorageError, match="/dev/full could not be written .No space"):
        files.append_json(Path("/dev/full"), 1)
    error = files.storage_error(tmp_path / "x", OSError(28, "No space left"), 10**18)
    assert re.search(rf"{tmp_path}/x .*No space left; \d+ bytes free", str(error))
    assert str(10**18) in str(error)


def test_nothing_is_read_or_written_through_a_link(tmp_path):
    (tmp_path / "a").write_text("1\n")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(StorageError):
        files.append_json(tmp_path / "link", 2)
    with pytest.raises(InputError, match="it is a link"):
        files.cut_torn(tmp_path / "link")
    files.write_atomic(tmp_path / "link", "2\n")
    assert (tmp_path / "a").read_text() == "1\n"
    assert not (tmp_path / "link").is_symlink()


def test_no_more_is_read_than_was_asked_for(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert files.read(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="over 4 bytes"):
        files.read(tmp_path / "a", 4)
