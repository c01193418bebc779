"""Measures speed, and writes the tables of BENCHMARKS.md.

python -m launch.bench --suite=lm            # prints the table
python -m launch.bench --suite=lm --write    # replaces it in BENCHMARKS.md

What is compared runs side by side in one process, in turns: on a shared machine a
rate says little, a ratio within one turn much more. Each table names the commit, the
machine, the versions and the allocator's settings.
"""

import datetime
import functools
import importlib.metadata
import itertools
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from experiments.language_modeling.task import LanguageTask
from rnnlab.cells import LSTM
from rnnlab.data.streams import TrainStream
from rnnlab.engines import auto
from rnnlab.errors import InputError, RunError
from rnnlab.nn import LanguageModel
from rnnlab.training import step as training
from rnnlab.training.settings import Training
from rnnlab.training.workdir import write_atomic

ROOT = Path(__file__).resolve().parent.parent
LAYERS = 2
LEARNING_RATE = 1.0


class Shape(NamedTuple):
    """A language model and its batch, in the letters of `rnnlab.cell`."""

    batch: int
    steps: int
    features: int
    vocab_size: int

    def __str__(self) -> str:
        return "{}, {}, {}, {:,}".format(*self)

    @property
    def tokens(self) -> int:
        """The tokens of one batch."""
        return self.batch * self.steps

    @property
    def operations(self) -> int:
        """Additions and multiplications of a step's products, forward and backward."""
        layer = (self.features + self.features) * 4 * self.features
        output = self.features * self.vocab_size
        return 3 * 2 * self.tokens * (LAYERS * layer + output)


LM_SHAPES = (
    Shape(batch=20, steps=20, features=200, vocab_size=10_000),
    Shape(batch=20, steps=35, features=650, vocab_size=10_000),
    Shape(batch=50, steps=50, features=128, vocab_size=65),
)


def in_turns(sides: Mapping[str, Callable[[], object]], repeats: int, seconds: float):
    """Returns the seconds a call of each side took: {name: [one a turn]}.

    In a turn each side is called as often as fills `seconds`; the first calls, which
    compile, are not counted.

    Args:
        sides: functions that return when their work is done.
        repeats: the number of turns.
        seconds: what a side gets of each turn.
    """
    calls = {}
    for name, run in sides.items():
        run()
        run()
        calls[name] = math.ceil(seconds / _clock(run, 2))
    taken = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            run()  # caches and threads belong to the side before
            taken[name].append(_clock(run, calls[name]))
    return taken


def _clock(run: Callable[[], object], calls: int) -> float:
    """Returns the mean seconds of a call."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def lm(repeats: int) -> str:
    """Returns the training step of a language model: ours, flax's, torch's."""
    # Here, for torch is no dependency of rnnlab: other suites run without it.
    from launch import peers_flax, peers_torch

    trainers = {
        "rnnlab": _our_trainer,
        "flax": functools.partial(_peer, peers_flax.trainer),
        "torch": functools.partial(_peer, peers_torch.trainer),
    }
    machine = {"product": _product(), "product in torch": peers_torch.product()}
    machine |= {"copy": _copy()}
    rows, products, copies = [], [], []
    for shape in LM_SHAPES:
        stream = _stream(shape)
        sides = {name: make(shape, stream) for name, make in trainers.items()}
        taken = in_turns(sides | machine, repeats, seconds=0.4)
        products += np.minimum(taken["product"], taken["product in torch"]).tolist()
        copies += taken["copy"]
        fastest = statistics.median(products[-repeats:]) / PRODUCT_OPERATIONS
        floor = fastest * shape.operations
        for name in trainers:
            low, middle, high = _quartiles([shape.tokens / t for t in taken[name]])
            ratio = np.divide(taken[name], taken["rnnlab"])
            share = floor / statistics.median(taken[name])
            rows.append(
                f"| {shape} | {name} | {middle:,.0f} | {low:,.0f} to {high:,.0f}"
                f" | {statistics.median(ratio):.2f} | {share:.0%} |"
            )
    rate = PRODUCT_OPERATIONS / statistics.median(products) / 1e9
    copied = COPY_BYTES / statistics.median(copies) / 1e9
    return "\n".join(
        [
            f"Tokens a second of the whole training step of a language model: embedding"
            f" (H), {LAYERS} LSTM layers, output layer, mean cross-entropy, gradient,"
            f" clipping by global norm, SGD; float32, carries handed on, a new batch"
            f" each step. Medians and quartiles of {repeats} turns.",
            "",
            f"The limit is all matrix products of forward and backward at the rate of a"
            f" product of 2048 x 2048, here {rate:.0f} GFLOP/s; a copy runs at"
            f" {copied:.1f} GB/s, read and written.",
            "",
            "| B, T, H, V | code | tokens/s | quartiles | rnnlab is faster by"
            " | share of the limit |",
            "|---|---|--:|--:|--:|--:|",
            *rows,
        ]
    )


def _stream(shape: Shape) -> TrainStream:
    """Returns random tokens, enough for batches that differ."""
    length = 50 * shape.tokens + 1
    tokens = np.random.default_rng(0).integers(shape.vocab_size, size=length)
    return TrainStream(
        tokens.astype(np.int32), shape.batch, shape.steps, shape.vocab_size
    )


def _our_trainer(shape: Shape, stream: TrainStream) -> Callable[[], object]:
    """Returns one step of rnnlab's own training, on the next batch."""
    cells = (LSTM(shape.features),) * LAYERS
    model = LanguageModel(shape.vocab_size, shape.features, cells, auto(cells[0]))
    task = LanguageTask(model, {"train": stream}, {"train": shape.batch})
    settings = Training(optimizer="sgd", learning_rate=LEARNING_RATE, clip_norm=5.0)
    step = training.train_step(task, settings, steps=10**6)
    state = training.init(task, settings)
    batches = task.batches("train")

    def run():
        nonlocal state
        state, metrics = step(state, next(batches))
        return float(metrics.loss)

    return run


def _peer(trainer, shape: Shape, stream: TrainStream) -> Callable[[], object]:
    """Returns one step of a peer's training, on the next batch."""
    step = trainer(shape.vocab_size, shape.features, LAYERS, shape.batch, LEARNING_RATE)
    numbers = itertools.count()
    return lambda: float(step(stream[next(numbers)]))


PRODUCT_OPERATIONS = 2 * 2048**3
COPY_BYTES = 2 * 2**28


def _product() -> Callable[[], object]:
    """Returns a product of two square matrices of 2048 rows."""
    matrix = jax.random.normal(jax.random.key(0), (2048, 2048))
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(matrix, matrix).block_until_ready()


def _copy() -> Callable[[], object]:
    """Returns a copy of 256 MiB into memory that is there already."""
    change = jax.jit(jnp.negative, donate_argnums=0)
    array = jnp.ones(2**26)

    def run():
        nonlocal array
        array = change(array).block_until_ready()

    return run


COMMANDS: Mapping[str, Sequence[str]] = {
    "python alone": ("-c", "pass"),
    "import jax": ("-c", "import jax"),
    "import rnnlab": ("-c", "import rnnlab"),
    "import rnnlab.cells, rnnlab.engines": (
        "-c",
        "import rnnlab.cells, rnnlab.engines",
    ),
    "import rnnlab.nn, rnnlab.training.step": (
        "-c",
        "import rnnlab.nn, rnnlab.training.step",
    ),
    "launch.run --help": ("-m", "launch.run", "--help"),
}


def startup(repeats: int) -> str:
    """Returns how long a user waits for imports and for the help."""
    sides = {name: functools.partial(_python, *c) for name, c in COMMANDS.items()}
    for run in sides.values():
        run()  # writes the byte code, fills the file cache
    taken = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            taken[name].append(_clock(run, 1))
    rows = []
    for name, seconds in taken.items():
        low, middle, high = _quartiles(seconds)
        rows.append(f"| {name} | {middle:.2f} | {low:.2f} to {high:.2f} |")
    return "\n".join(
        [
            f"Seconds of a whole process, medians and quartiles of {repeats}.",
            "",
            "| command | seconds | quartiles |",
            "|---|--:|--:|",
            *rows,
        ]
    )


def _python(*arguments: str) -> str:
    """Runs Python in the root of the repository and returns what it printed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Returns the first quartile, the median and the third."""
    return tuple(np.quantile(values, (0.25, 0.5, 0.75)).tolist())


def provenance() -> str:
    """Returns one line that says what was measured where."""
    versions = [f"Python {platform.python_version()}"]
    for name in ("jax", "flax", "torch"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    allocator = [f"{k}={v}" for k, v in os.environ.items() if k.startswith("MALLOC_")]
    return "; ".join(
        [
            f"Commit {_commit()}",
            f"{_processor()}, {os.cpu_count()} cores, {jax.default_backend()}",
            ", ".join(versions),
            f"allocator: {' '.join(allocator) or 'as it comes'}",
            f"{datetime.date.today()}",
        ]
    )


def _commit() -> str:
    """Returns the commit, with a mark if files differ from it."""

    def git(*arguments):
        command = ["git", *arguments]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        return result.stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    return commit + (" with changes" if git("status", "--porcelain") else "")


def _processor() -> str:
    """Returns the processor's name."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    lines = info.read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def replace(text: str, suite: str, table: str) -> str:
    """Returns `text` with what stands between the suite's markers replaced.

    Raises:
        InputError: a marker is missing.
    """
    start, end = f"<!-- bench:{suite} -->", f"<!-- /bench:{suite} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise InputError(
            f"BENCHMARKS.md needs the markers {start} and {end} around the table of"
            f" --suite={suite}; add them where it should stand."
        )
    return f"{before}{start}\n{table}\n{end}{after}"


SUITES: Mapping[str, Callable[[int], str]] = {
    "lm": lm,
    "startup": startup,
}

SUITE = flags.DEFINE_enum("suite", None, sorted(SUITES), "what to measure")
REPEATS = flags.DEFINE_integer("repeats", 9, "turns, or processes", lower_bound=1)
WRITE = flags.DEFINE_bool("write", False, "replace the table in BENCHMARKS.md")


def main(arguments: Sequence[str]) -> int | None:
    """Runs one suite; prints its table or puts it in its place."""
    if len(arguments) > 1:
        raise app.UsageError(f"No arguments are wanted, got {arguments[1:]}.")
    file = ROOT / "BENCHMARKS.md"
    try:
        if WRITE.value:  # before the minutes of work: are the markers there?
            replace(_read(file), SUITE.value, "")
        table = f"{SUITES[SUITE.value](REPEATS.value)}\n\n{provenance()}"
        if WRITE.value:
            write_atomic(file, replace(_read(file), SUITE.value, table))
        else:
            print(table)
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return None


def _read(file: Path) -> str:
    """Returns the text of BENCHMARKS.md.

    Raises:
        InputError: there is none.
    """
    if not file.exists():
        raise InputError(f"--write needs {file}, which is not there; create it.")
    return file.read_text()


if __name__ == "__main__":
    flags.mark_flag_as_required("suite")
    app.run(main)
