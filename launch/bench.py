"""Measures speed and memory, and writes the tables of BENCHMARKS.md.

python -m launch.bench --suite=lm                  # prints the table
python -m launch.bench --suite=lm --write          # replaces it in BENCHMARKS.md
python -m launch.bench --suite=lm --compare=HEAD~3 # this tree beside another revision

Under each table stand the commit, the machine, the versions and the allocator. With
--write the numbers are added to docs/benchmarks.jsonl too, of which the README's
section of speed is made.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from launch.flags import start
from launch.measuring import markers
from rnnlab.errors import InputError
from rnnlab.files import write_atomic

if TYPE_CHECKING:  # --help does without numpy
    from launch.measuring.outcome import Outcome

ROOT = Path(__file__).resolve().parent.parent
TABLES, README = ROOT / "BENCHMARKS.md", ROOT / "README.md"
HISTORY = ROOT / "docs" / "benchmarks.jsonl"

# Modules of launch/suites, each with a function `measure(repeats) -> Outcome`, loaded
# when they are asked for.
SUITES = (
    "dynamic",
    "engines",
    "generation",
    "lm",
    "memory",
    "newton",
    "outputs",
    "peers",
    "probes",
    "regularization",
    "safety",
    "scaling",
    "scan_vs_unrolled",
    "seeds",
    "startup",
)
# Those that also have a function `sides() -> {name: () -> what is timed}`.
COMPARED = ("engines", "generation", "lm", "peers", "scan_vs_unrolled")

SUITE = flags.DEFINE_enum("suite", None, SUITES, "what to measure", required=True)
REPEATS = flags.DEFINE_integer("repeats", 9, "turns, or processes", lower_bound=1)
WRITE = flags.DEFINE_bool(
    "write", False, "replace the table in BENCHMARKS.md, and what else the suite writes"
)
COMPARE = flags.DEFINE_string(
    "compare", None, "a revision of git's: measure it beside this tree, as it is"
)


def main() -> None:
    """Runs one suite; prints its table or puts it in its place."""
    check(SUITE.value, COMPARE.value, WRITE.value)
    if COMPARE.value is not None:
        compare(SUITE.value, COMPARE.value, REPEATS.value)
    elif WRITE.value:
        write(SUITE.value, REPEATS.value)
    else:
        outcome, others = measure(SUITE.value, REPEATS.value)
        print(f"{outcome.table}\n\n{footer(others)}")


def check(suite: str, revision: str | None, write: bool) -> None:
    """Sees to it that minutes of work will not be for nothing.

    Raises:
        InputError: there is no place to write to, or nothing to compare.
    """
    if revision is not None and write:
        raise InputError(
            "--compare prints a table and writes none, got --write too; leave one out."
        )
    if revision is not None and suite not in COMPARED:
        raise InputError(
            f"--compare takes one of {', '.join(COMPARED)}, got --suite={suite}; take"
            f" one of these."
        )
    if write:
        markers.split(TABLES, f"bench:{suite}")
        markers.split(README, "claims")


def module(suite: str) -> str:
    """Returns the name of a suite's module."""
    return f"launch.suites.{suite}"


def measure(suite: str, repeats: int) -> "tuple[Outcome, float]":
    """Returns a suite's outcome, and the share of the cores that others had."""
    import jax  # here, as below: --help does without it too

    from launch.measuring import machine

    # A program that an earlier run left on disk is not compiled again.
    jax.config.update("jax_enable_compilation_cache", False)
    others = machine.others_share()
    outcome = importlib.import_module(module(suite)).measure(repeats)
    return outcome, others()


def write(suite: str, repeats: int) -> None:
    """Measures; adds to the history; puts table, files and claims in their places."""
    from launch.measuring import ledger, speed

    outcome, others = measure(suite, repeats)
    under = footer(others)  # before a file is changed: it names the commit
    ledger.append(HISTORY, ledger.entry(suite, repeats, others, outcome))
    markers.replace(TABLES, f"bench:{suite}", f"{outcome.table}\n\n{under}")
    for path, content in outcome.files.items():
        write_atomic(path, content)
    markers.replace(README, "claims", speed.section(ledger.read(HISTORY)))


def compare(suite: str, revision: str, repeats: int) -> None:
    """Prints the table of this tree and a revision."""
    from launch.measuring import machine, trees

    others = machine.others_share()
    with trees.stopping():
        table = trees.compare(module(suite), ROOT, revision, repeats)
    print(f"{table}\n\n{footer(others())}")


def footer(others: float) -> str:
    """Returns what stands under a table: where, when and how undisturbed."""
    from launch.measuring import machine

    busy = f"other processes had {others:.0%} of the cores meanwhile"
    return f"{machine.describe()}; {busy}"


if __name__ == "__main__":
    start(main)
