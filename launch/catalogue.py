"""Writes the catalogue of cells: `python -m launch.catalogue`.

`docs/cells.md` is a table of all cells, from the code (year, paper, structure, number
of parameters, engine) and from measurement on this machine (speed, which toy problems
one layer learns); `docs/cells.png` is how far back the gradient reaches before any
training. It takes half an hour on two cores.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from launch.flags import start
from rnnlab.errors import InputError
from rnnlab.files import write_atomic

FOLDER = Path(__file__).resolve().parent.parent / "docs"

TURNS = flags.DEFINE_integer("turns", 5, "turns of the timing", lower_bound=1)
ONLY = flags.DEFINE_list(
    "cells", None, "names of cells: prints their rows and writes nothing"
)


def main() -> None:
    """Measures the cells, writes the table and draws the picture."""
    # Imported here: --help does without jax and matplotlib.
    from launch import lags, species
    from launch.measuring import machine
    from rnnlab.cells import CELLS

    names = sorted(ONLY.value or CELLS)
    unknown = sorted({*names} - {*CELLS})
    if unknown:
        raise InputError(
            f"--cells takes names of cells, got {', '.join(unknown)}; take some of"
            f" {', '.join(CELLS)}."
        )
    rows = []
    for name in names:
        rows.append(species.row(name, CELLS[name], TURNS.value))
        print(rows[-1], flush=True)
    if ONLY.value:
        return
    FOLDER.mkdir(exist_ok=True)
    write_atomic(FOLDER / "cells.md", page(rows, machine.describe()))
    lags.draw(FOLDER / "cells.png", {name: lags.norms(CELLS[name]) for name in names})


def page(rows: Sequence[str], machine: str) -> str:
    """Returns the whole file."""
    from launch import lags, species

    return "\n".join(
        [
            "# Cells",
            "",
            f"{len(rows)} cells, by the names that `--cell` and `rnnlab.cells.CELLS`"
            f" know. Written by `python -m launch.catalogue`.",
            "",
            species.LEGEND,
            "",
            species.HEAD,
            *rows,
            "",
            machine,
            "",
            "## How far back the gradient reaches",
            "",
            "![Norm of the gradient by lag, for each cell as it begins](cells.png)",
            "",
            f"Of a random sum over the last carry, for {lags.UNITS} units as they begin"
            f" and normal input of\ndeviation 1; [lags.png](lags.png) has a loss and an"
            f" input of its own.",
            "",
        ]
    )


if __name__ == "__main__":
    start(main)
