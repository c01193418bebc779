"""The memory of one training step, in a process that did nothing before.

`python -m launch.measuring.weigh STEP` takes a `Step` as JSON and prints its `Weight`.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Step(NamedTuple):
    """Forward and backward of one layer, as JSON data.

    Attributes:
        cell: its name in `rnnlab.cells.CELLS`.
        features: H, of the input too.
        batch: B.
        length: T.
        engine: its name in `rnnlab.engines.ENGINES`.
        knobs: how the engine is set.
    """

    cell: str
    features: int
    batch: int
    length: int
    engine: str
    knobs: Mapping[str, Any]


class Weight(NamedTuple):
    """What a step needs, in bytes.

    Attributes:
        temporaries: by XLA's account, beside params, input, cotangent and gradients.
        growth: what the process grew by, at most, in its first step: temporaries and
            gradients; None where Linux does not tell.
    """

    temporaries: int
    growth: int | None


def weigh(step: Step) -> Weight:
    """Returns what a step needs, from a process of its own."""
    command = [sys.executable, "-m", "launch.measuring.weigh", json.dumps(step)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr}")
    return Weight(*json.loads(done.stdout))


def here(step: Step) -> Weight:
    """Returns what a step needs, which this process must not have run before."""
    from launch.measuring import layer
    from rnnlab.cells import CELLS
    from rnnlab.engines import ENGINES

    cell = CELLS[step.cell](step.features)
    engine = ENGINES[step.engine](**step.knobs)
    given = layer.arguments(cell, step.length, step.batch)
    program = layer.gradients(layer.on(engine, cell)).lower(*given).compile()
    temporaries = program.memory_analysis().temp_size_in_bytes
    if not RESET.exists():
        return Weight(temporaries, None)
    RESET.write_text("5")  # the peak so far is forgotten
    before = resident("VmRSS")
    layer.call(program, given)
    return Weight(temporaries, resident("VmHWM") - before)


def resident(name: str) -> int:
    """Returns a line of Linux's account of this process, in bytes."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


if __name__ == "__main__":
    print(json.dumps(here(Step(*json.loads(sys.argv[1])))))
