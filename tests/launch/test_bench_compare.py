"""Two trees side by side: ratios that are so, and errors that name the tree."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from launch.measuring import side, trees
from rnnlab.errors import InputError

ROOT = Path(__file__).parents[2]
SUITE = """
import time
print("what a suite prints is no answer")

def sides():
    return {names}

def sleep(seconds):
    return lambda: lambda: time.sleep(seconds)
"""
THIS = "{'both': sleep(0.02), 'equal': sleep(0.01), 'new': sleep(0)}"
OLD = "{'both': sleep(0.01), 'equal': sleep(0.01), 'old': sleep(0)}"
COMMITS = {
    "old": SUITE.format(names=OLD),
    "bare": "x = 1",
    "other": SUITE.format(names="{'else': sleep(0)}"),
    "broken": "import rnnlab.nothing_of_this_name",
    "failing": SUITE.format(names="{'both': lambda: [][1]}"),
    "this": SUITE.format(names=THIS),
}


def git(folder, *arguments):
    name = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *name, *arguments], cwd=folder, check=True)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A repository with a commit, tagged, for each text of a suite; the last is out."""
    folder = tmp_path_factory.mktemp("tree")
    git(folder, "init", "-q")
    (folder / "none.txt").write_text("")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "none")
    git(folder, "tag", "none")
    for name, text in COMMITS.items():
        (folder / "suite.py").write_text(text)
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", name)
        git(folder, "tag", name)
    return folder


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path):
    monkeypatch.setattr(trees, "SECONDS", 0.02)
    monkeypatch.setattr(trees.tempfile, "tempdir", str(tmp_path))


def test_the_table_has_the_ratio_of_what_both_trees_have(tree, tmp_path):
    text = trees.compare("suite", tree, "old", 7)
    rows = re.findall(
        r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|.*\| (.+) \|$", text, re.M
    )
    assert [row[0] for row in rows] == ["both", "equal"]
    both, equal = [[float(number) for number in row[1:4]] for row in rows]
    assert both[0] > 20 and both[1] > 10 and 1.4 < both[2] < 2.6
    assert rows[0][4] == "slower" and 0.6 < equal[2] < 1.6
    assert text.endswith("Only this tree has new.\n\nOnly old has old.")
    assert not list(tmp_path.iterdir())  # the other tree is gone
    status = subprocess.run(
        ["git", "worktree", "list"], cwd=tree, capture_output=True, text=True
    )
    assert len(status.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("nowhere", "a revision that git knows .* got 'nowhere'"),
        ("--all", "got '--all'"),
        ("none", "a function sides in suite, which none does not have"),
        ("bare", "a function sides in suite, which bare does not have"),
        ("other", "has only else"),
        ("broken", "it ended with: ModuleNotFoundError: No module named 'rnnlab.noth"),
        ("failing", "suite of failing .* it ended with: IndexError"),
    ],
)
def test_what_cannot_be_compared_is_named(tree, tmp_path, revision, message):
    with pytest.raises(InputError, match=message):
        trees.compare("suite", tree, revision, 1)
    assert not list(tmp_path.iterdir())


def test_a_folder_without_git_is_named(tmp_path):
    with pytest.raises(InputError, match=f"git knows in {tmp_path}"):
        trees.compare("suite", tmp_path, "HEAD", 1)


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([0.9] * 6, "faster"),
        ([1.1] * 6, "slower"),
        ([0.9] * 5, "-"),  # as a coin falls once in 16 times
        ([0.9] * 8 + [1.1], "faster"),
        ([0.9] * 7 + [1.1] * 2, "-"),
        ([1.0] * 9, "-"),
    ],
)
def test_a_verdict_is_what_chance_rarely_gives(ratios, verdict):
    assert trees.verdict(np.array(ratios)) == verdict


def test_a_signal_ends_the_children_and_clears_up(tree, tmp_path):
    program = f"""
from pathlib import Path
from launch.measuring import trees
with trees.stopping():
    trees.compare("suite", Path({str(tree)!r}), "old", 10**6)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait(lambda: list(tmp_path.glob("*/there.log")))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    children = [Path("/proc", child) for child in children.read_text().split()]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "error: Stopped by SIGINT.\n"
    assert not list(tmp_path.iterdir())
    # One that was only just begun ends by itself, for nobody asks it anything.
    assert children
    wait(lambda: not any(child.exists() for child in children))


def wait(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_may_be_told_to_keep_freed_memory(tmp_path):
    """Its allocator is that of a command; the tree's own may be older."""
    (tmp_path / "suite.py").write_text(
        "import resource\n"
        "def faults():\n"
        "    count = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    bytes(bytearray(1 << 26))\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - count\n"
        "def sides():\n"
        "    faults(), faults()\n"
        "    return {str(faults()): lambda: None}\n"
    )
    with side.Side("it", "suite", tmp_path, tmp_path / "log") as child:
        (count,) = child.names()
    assert int(count) < 1000  # of 32768 pages
