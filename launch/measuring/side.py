"""A process with one tree's side of `launch.bench --compare`, which runs `tree.py`."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from launch.allocator import VARIABLES
from rnnlab.errors import InputError

CHILD = Path(__file__).with_name("tree.py")


class Side:
    """A process that has what one tree measures; it ends with the context.

    Args:
        title: this tree, or the revision as it was named.
        module: of the suite.
        tree: the folder that it imports from.
        log: a file for what it complains of.
    """

    def __init__(self, title: str, module: str, tree: Path, log: Path):
        self.title = title
        self._module, self._log = module, log
        paths = [str(tree), *filter(None, [os.environ.get("PYTHONPATH")])]
        with open(log, "w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(CHILD), module, str(tree)],
                cwd=tree,
                env={**os.environ, **VARIABLES, "PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):  # a question that nobody read
            self._process.communicate()

    def names(self) -> list[str]:
        """Returns what it can make ready; to be asked once, at first.

        Raises:
            InputError: its tree has no such suite.
        """
        names = self._answer()
        if names is None:
            raise InputError(
                f"--compare needs a function sides in {self._module}, which"
                f" {self.title} does not have; name a revision that has it."
            )
        return names

    def make(self, name: str) -> None:
        """Makes ready what `clock` is to call."""
        self._ask("make", name)

    def clock(self, calls: int) -> float:
        """Returns the mean seconds of a call."""
        return self._ask("clock", calls)

    def _ask(self, order: str, value: str | int) -> Any:
        """Returns the answer to an order."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `_answer` says why
            self._process.stdin.write(f"{json.dumps([order, value])}\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        """Returns the next answer.

        Raises:
            InputError: the process has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            *_, last = ["nothing said", *self._log.read_text().strip().splitlines()]
            raise InputError(
                f"--compare needs {self._module} of {self.title} to run, but it ended"
                f" with: {last}; mend it or name another revision."
            )
        return json.loads(line)
