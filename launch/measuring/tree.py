"""One tree's side of `launch.bench --compare`, run by path with that tree to import.

    python -P tree.py MODULE TREE

On stdin come lines of JSON, on stdout goes one for each, and one at first:

                        [NAME, ...]    what MODULE.sides() has; null without that
    ["make", NAME]      null           makes NAME ready, and forgets the last
    ["clock", CALLS]    SECONDS        calls it so often; the mean of a call

Of the tree, which may be older than this file, it asks for nothing else.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO


def main(module: str, tree: str) -> None:
    """Answers until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    sides = load(module, Path(tree))
    print(json.dumps(None if sides is None else list(sides)), file=answers)
    if sides is not None:
        serve(sides, sys.stdin, answers)


def load(module: str, tree: Path) -> Mapping[str, Callable[[], Any]] | None:
    """Returns what the tree's module has to compare; None without it."""
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and imports what is not
        return None
    if not Path(found.__file__ or "").resolve().is_relative_to(tree.resolve()):
        return None  # an installed one
    sides = getattr(found, "sides", None)
    return None if sides is None else sides()


def serve(
    sides: Mapping[str, Callable[[], Any]], questions: TextIO, answers: TextIO
) -> None:
    """Makes sides ready and clocks them, as it is told."""
    run: Callable[[], object] = list
    for line in questions:
        order, value = json.loads(line)
        if order == "make":
            run = list  # the last one's memory is free before the next takes some
            run = sides[value]()
            answer = None
        else:
            answer = clock(run, value)
        print(json.dumps(answer), file=answers)


def clock(run: Callable[[], object], calls: int) -> float:
    """Returns the mean seconds of a call."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    main(*sys.argv[1:])
