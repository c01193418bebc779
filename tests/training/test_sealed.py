"""A sealed folder is the one that was sealed."""

import subprocess

import pytest

from rnnlab.training.sealed import SUMS, Damaged, seal, verify


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "d" / "b c").write_bytes(b"2" * 9999)
    seal(tmp_path)
    return tmp_path


def test_the_list_is_sha256sums(folder):
    verify(folder)
    command = ["sha256sum", "--check", "--strict", SUMS]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stdout == "a: OK\nd/b c: OK\n"


CHANGES = {
    "is not the file": {
        "another content": lambda folder: (folder / "a").write_bytes(b"2"),
        "a longer one": lambda folder: (folder / "a").write_bytes(b"11"),
        "gone": lambda folder: (folder / "a").unlink(),
        "another name": lambda folder: (folder / "a").rename(folder / "b"),
        "one more": lambda folder: (folder / "d" / "x").touch(),
    },
    "neither a file nor a folder": {
        "a link": lambda folder: (folder / "x").symlink_to(folder / "a"),
    },
    SUMS: {
        "no list": lambda folder: (folder / SUMS).unlink(),
        "another line": lambda folder: (folder / SUMS).write_text(
            (folder / SUMS).read_text() + "x\n"
        ),
    },
}


@pytest.mark.parametrize(
    "words, change",
    [(words, change) for words, all_ in CHANGES.items() for change in all_],
)
def test_a_change_is_found(folder, words, change):
    CHANGES[words][change](folder)
    with pytest.raises(Damaged, match=words):
        verify(folder)
