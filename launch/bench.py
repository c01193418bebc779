"""Measures speed, and writes the tables of BENCHMARKS.md.

python -m launch.bench --suite=lm            # prints the table
python -m launch.bench --suite=lm --write    # replaces it in BENCHMARKS.md

Under each table stand the commit, the machine, the versions and the allocator.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path

from absl import flags

from launch.flags import start
from launch.outcome import Outcome
from rnnlab.errors import InputError
from rnnlab.files import write_atomic

FILE = Path(__file__).resolve().parent.parent / "BENCHMARKS.md"

# Modules with a function `measure(repeats) -> Outcome`, loaded when they are asked for.
SUITES: Mapping[str, str] = {
    "engines": "launch.bench_engines",
    "peers": "launch.bench_peers",
    "lm": "launch.bench_lm",
    "newton": "launch.bench_newton",
    "probes": "launch.bench_probes",
    "safety": "launch.bench_safety",
    "seeds": "launch.bench_seeds",
    "startup": "launch.bench_startup",
}

SUITE = flags.DEFINE_enum("suite", None, list(SUITES), "what to measure", required=True)
REPEATS = flags.DEFINE_integer("repeats", 9, "turns, or processes", lower_bound=1)
WRITE = flags.DEFINE_bool(
    "write", False, "replace the table in BENCHMARKS.md, and what else the suite writes"
)


def main() -> None:
    """Runs one suite; prints its table or puts it in its place."""
    from launch import machine  # imported here: --help does without jax

    if WRITE.value:  # before the minutes of work: are the markers there?
        replace(_read(), SUITE.value, "")

    outcome = importlib.import_module(SUITES[SUITE.value]).measure(REPEATS.value)
    outcome = outcome._replace(table=f"{outcome.table}\n\n{machine.describe()}")
    if WRITE.value:
        write(SUITE.value, outcome)
    else:
        print(outcome.table)


def write(suite: str, outcome: Outcome) -> None:
    """Puts the table between its markers, and the other files in their places."""
    write_atomic(FILE, replace(_read(), suite, outcome.table))
    for path, content in outcome.files.items():
        write_atomic(path, content)


def replace(text: str, suite: str, table: str) -> str:
    """Returns `text` with what stands between the suite's markers replaced.

    Raises:
        InputError: a marker is missing.
    """
    begin, end = f"<!-- bench:{suite} -->", f"<!-- /bench:{suite} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise InputError(
            f"BENCHMARKS.md needs the markers {begin} and {end} around the table of"
            f" --suite={suite}; add them where it should stand."
        )
    return f"{before}{begin}\n{table}\n{end}{after}"


def _read() -> str:
    """Returns the text of BENCHMARKS.md.

    Raises:
        InputError: there is none.
    """
    if not FILE.exists():
        raise InputError(f"--write needs {FILE}, which is not there; create it.")
    return FILE.read_text()


if __name__ == "__main__":
    start(main)
