"""The run's folder: refused when it cannot be used, one writer, whole files."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rnnlab import files
from rnnlab.errors import InputError, StorageError, WorkdirLocked
from rnnlab.training import workdir


def test_resolve_makes_an_absolute_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert workdir.resolve("~/runs/a") == tmp_path / "runs" / "a"
    assert workdir.resolve("runs/../b") == tmp_path / "b"
    assert workdir.resolve(tmp_path) == tmp_path


@pytest.mark.parametrize("path", ["", "  ", "~nobody-here/x", "a\0b"])
def test_resolve_refuses(path):
    with pytest.raises(InputError, match="pass"):
        workdir.resolve(path)


def test_probe_creates_the_folder_and_leaves_nothing(tmp_path):
    workdir.probe(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_probe_refuses_a_file_a_read_only_folder_and_a_full_disk(tmp_path):
    (tmp_path / "file").write_text("kept")
    began = time.monotonic()
    for path in (tmp_path / "file", tmp_path / "file" / "x", Path("/proc/rnnlab")):
        with pytest.raises(InputError, match=f"got {path} "):
            workdir.probe(path)
    assert time.monotonic() - began < 2
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("options", ["ro", "size=64k"])
def test_probe_refuses_a_mount_that_takes_no_data(disk, options):
    place = disk(options)
    if options != "ro":
        (place / "old").write_text("old")
        with open(place / "filler", "wb", buffering=0) as filler:
            with pytest.raises(OSError, match="No space"):
                while True:
                    filler.write(bytes(4096))
        with pytest.raises(StorageError, match="old could not .*No space"):
            files.write_atomic(place / "old", "x" * 10_000)
        assert (place / "old").read_text() == "old"
        assert sorted(os.listdir(place)) == ["filler", "old"]
    with pytest.raises(InputError, match=r"Read-only|No space"):
        workdir.probe(place)
    assert not list(place.glob(".probe*"))


def test_lock_names_its_owner_and_is_released(tmp_path):
    with workdir.lock(tmp_path):
        owner = json.loads((tmp_path / ".lock").read_text())
        assert owner["pid"] == os.getpid() and set(owner) == {"host", "pid", "start"}
        with pytest.raises(WorkdirLocked, match=f"pid {os.getpid()} on"):
            with workdir.lock(tmp_path):
                pytest.fail("two owners")
    with workdir.lock(tmp_path):
        pass
    with pytest.raises(StorageError, match="missing/.lock"):
        with workdir.lock(tmp_path / "missing"):
            pass


def test_one_who_looks_whether_it_is_locked_does_not_keep_the_owner_out(tmp_path):
    (tmp_path / ".lock").touch()
    looks = os.open(tmp_path / ".lock", os.O_RDONLY)
    fcntl.flock(looks, fcntl.LOCK_SH)
    threading.Timer(0.05, os.close, [looks]).start()
    with workdir.lock(tmp_path):
        pass


OWNER = r"""
import os, sys, time
from pathlib import Path
from rnnlab.training import workdir
with workdir.lock(Path(sys.argv[1])):
    child = os.fork()
    os.write(1, f"{child or 'child'}\n".encode())
    time.sleep(60)
"""


def test_a_killed_owner_frees_the_lock_though_its_fork_lives(tmp_path):
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = {owner.stdout.readline().strip() for _ in range(2)}
    child = int(max(lines - {"child"}))
    try:
        with pytest.raises(WorkdirLocked, match=f"pid {owner.pid} on"):
            with workdir.lock(tmp_path):
                pass
        owner.kill()
        owner.wait()
        os.kill(child, 0)  # it lives
        with workdir.lock(tmp_path):
            assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    finally:
        os.kill(child, signal.SIGKILL)
        owner.kill()
        owner.stdout.close()


def test_lock_is_not_passed_to_a_started_program(tmp_path):
    with workdir.lock(tmp_path):
        child = subprocess.Popen(["sleep", "60"])
    try:
        with workdir.lock(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_nothing_is_written_through_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".lock").symlink_to(victim)
    with pytest.raises(StorageError, match=r"\.lock could not be written"):
        with workdir.lock(tmp_path):
            pass
    (tmp_path / f".probe-{os.getpid()}").symlink_to(victim)
    with pytest.raises(InputError, match="A folder that can be written is wanted"):
        workdir.probe(tmp_path)
    assert victim.read_text() == "precious"
