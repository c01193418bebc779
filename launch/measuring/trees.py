"""This tree and another revision of it, measured side by side in one run.

Each has a process of its own, which imports its own tree (`tree.py`); a turn of one is
followed by a turn of the other, and what counts is their ratio.
"""

import contextlib
import io
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import numpy as np
from scipy.stats import binomtest

from launch.measuring.side import Side
from launch.measuring.turns import clocked
from rnnlab.errors import InputError
from rnnlab.training.signals import STOPPING

SECONDS = 0.2  # what each side gets of a turn


def compare(module: str, tree: Path, revision: str, repeats: int) -> str:
    """Returns the table of two trees, in Markdown.

    Args:
        module: of a suite, with a function `sides`.
        tree: a folder of git's, compared as it is, with what is not committed.
        revision: what it is compared with.
        repeats: the number of turns.

    Raises:
        InputError: git does not know the revision; a tree has nothing to compare, or
            the two have nothing in common; a side fails.
    """
    commit = resolve(tree, revision)
    with tempfile.TemporaryDirectory(prefix="rnnlab-compare-") as folder:
        other = Path(folder, "tree")
        check_out(tree, commit, other)
        with (
            Side("this tree", module, tree, Path(folder, "here.log")) as here,
            Side(revision, module, other, Path(folder, "there.log")) as there,
        ):
            return table(here, there, commit, repeats)


def table(here: Side, there: Side, commit: str, repeats: int) -> str:
    """Returns the table of two sides.

    Raises:
        InputError: they have nothing in common.
    """
    ours, theirs = here.names(), there.names()
    common = [name for name in ours if name in theirs]
    if not common:
        raise InputError(
            f"--compare={there.title} should have something that this tree measures"
            f" too, but has only {', '.join(theirs) or 'nothing'}; name another."
        )
    rows = []
    for name in common:
        here.make(name)
        there.make(name)
        clocks = {"here": here.clock, "there": there.clock}
        rows.append(row(name, clocked(clocks, repeats, SECONDS)))
    lines = [
        f"This tree beside {there.title} ({commit[:12]}), a process each, in turns:"
        f" medians of {repeats} turns, and quartiles of the ratio turn by turn. A"
        f" verdict stands where chance alone would give so many turns to one of two"
        f" equal trees less than once in 20 times, for which it takes 6 turns.",
        "",
        f"| what | this tree, ms | {there.title}, ms | ratio | quartiles | verdict |",
        "|---|--:|--:|--:|--:|---|",
        *rows,
        *alone(here.title, ours, theirs),
        *alone(there.title, theirs, ours),
    ]
    return "\n".join(lines)


def alone(title: str, own: Sequence[str], others: Sequence[str]) -> list[str]:
    """Returns a paragraph on what only one side has, if any."""
    names = [name for name in own if name not in others]
    return ["", f"Only {title} has {'; '.join(names)}."] if names else []


def row(name: str, taken: Mapping[str, np.ndarray]) -> str:
    """Returns a line of the table."""
    ratios = taken["here"] / taken["there"]
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    here, there = (float(np.median(each)) * 1e3 for each in taken.values())
    return (
        f"| {name} | {here:.2f} | {there:.2f} | {middle:.3f}"
        f" | {low:.3f} to {high:.3f} | {verdict(ratios)} |"
    )


def verdict(ratios: np.ndarray) -> str:
    """Returns whether this tree is faster or slower, by the sign test, or a dash."""
    faster, slower = int((ratios < 1).sum()), int((ratios > 1).sum())
    if not faster + slower or binomtest(faster, faster + slower).pvalue > 0.05:
        return "-"
    return "faster" if faster > slower else "slower"


def resolve(tree: Path, revision: str) -> str:
    """Returns the hash of a revision's commit.

    Raises:
        InputError: git does not know it.
    """
    command = ["rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
    found = git(tree, *command)
    if found.returncode:
        raise InputError(
            f"--compare should name a revision that git knows in {tree}, got"
            f" {revision!r}; `git log --oneline` lists some."
        )
    return found.stdout.decode().strip()


def check_out(tree: Path, commit: str, folder: Path) -> None:
    """Makes a folder of a commit's files; of it, git will know nothing."""
    archive = git(tree, "archive", "--format=tar", commit)
    archive.check_returncode()
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def git(tree: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Returns what git said.

    Raises:
        InputError: there is no git.
    """
    try:
        return subprocess.run(["git", *arguments], cwd=tree, capture_output=True)
    except FileNotFoundError as error:
        message = "--compare needs git, which is not there; install it."
        raise InputError(message) from error


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """Lets a signal end what is inside by an exception, so that it clears up.

    Elsewhere a signal ends a command at once, since XLA may be compiling; here others
    compile.
    """
    former = {number: signal.signal(number, _stop) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the command; a second signal waits until all is cleared."""
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    print(f"error: Stopped by {signal.Signals(number).name}.", file=sys.stderr)
    raise SystemExit(128 + number)
