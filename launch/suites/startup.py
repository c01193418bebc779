"""How long a user waits: for imports, for the help, for the first step."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from launch.measuring.machine import ROOT
from launch.measuring.outcome import Outcome, measurement

COMMANDS: Mapping[str, Sequence[str]] = {
    "python -c pass": ("-c", "pass"),
    "import jax": ("-c", "import jax"),
    "import rnnlab": ("-c", "import rnnlab"),
    "import rnnlab.cells, rnnlab.engines": (
        "-c",
        "import rnnlab.cells, rnnlab.engines",
    ),
    "import rnnlab.nn": ("-c", "import rnnlab.nn"),
    "python -m launch.run --help": ("-m", "launch.run", "--help"),
}

# A process of its own, for what a process has compiled it does not compile again.
COMPILE = """
import time
from launch.suites import lm
shape = lm.SHAPES[0]
run = lm.ours(shape, lm.stream(shape))
start = time.perf_counter()
run()
first = time.perf_counter()
run()
print(first - start - (time.perf_counter() - first))
"""


def measure(repeats: int) -> Outcome:
    """Returns seconds from `repeats` processes each."""
    sides: dict[str, Callable[[], float]] = {
        name: lambda arguments=arguments: _process(*arguments)
        for name, arguments in COMMANDS.items()
    }
    sides["python -m launch.run, until the first step is done"] = first_step
    sides["compiling the training step, 2 layers"] = first_compile
    for run in sides.values():
        run()  # writes byte code and token cache, fills the file cache
    taken = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            taken[name].append(run())
    rows = []
    for name, seconds in taken.items():
        low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75))
        rows.append(f"| {name} | {middle:.2f} | {low:.2f} to {high:.2f} |")
    lines = [
        f"Seconds from the start of a process, medians and quartiles of {repeats};"
        f" `launch.run` with its defaults, its text tokenised and its programs compiled"
        f" before.",
        "",
        "| what | seconds | quartiles |",
        "|---|--:|--:|",
        *rows,
    ]
    measurements = [
        measurement({"what": name}, "s", seconds) for name, seconds in taken.items()
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def first_step() -> float:
    """Returns the seconds from a launch with the defaults to its first metrics."""
    with tempfile.TemporaryDirectory() as folder:
        metrics = Path(folder, "run", "metrics.jsonl")
        command = [sys.executable, "-m", "launch.run", "--steps=1", "--log_every=1"]
        command += ["--experiment=language_modeling", f"--workdir={metrics.parent}"]
        start = time.perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            while not (metrics.exists() and metrics.stat().st_size):
                if process.poll() is not None:
                    raise RuntimeError(
                        f"{' '.join(command)} ended before its first step:"
                        f" {process.communicate()[0].decode()}"
                    )
                time.sleep(0.005)
            seconds = time.perf_counter() - start
            process.communicate()
        return seconds


def first_compile() -> float:
    """Returns what the first step took longer than the second: its compilation."""
    return float(_python("-c", COMPILE))


def _process(*arguments: str) -> float:
    """Returns the seconds of a whole Python process."""
    start = time.perf_counter()
    _python(*arguments)
    return time.perf_counter() - start


def _python(*arguments: str) -> str:
    """Runs Python in the root of the repository and returns what it printed."""
    command = [sys.executable, *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if "Traceback" in result.stderr:  # not the exit code: absl ends --help with 1
        raise RuntimeError(f"{' '.join(command)} failed: {result.stderr}")
    return result.stdout
