"""Jobs that take a moment: a script in place of `launch.run`, in a real workdir."""

import sys
import textwrap

from workdirs import make

from launch.sweeping.jobs import Job

ROW = "import json, sys, time, os, signal; folder = sys.argv[1]\n"
FINISH = """
with open(folder + "/result.json", "w") as file:
    json.dump({"steps": 1, "valid": {"loss": %s}}, file)
"""


class Quick(Job):
    """A job whose first argument is a Python script; `folder` is its workdir."""

    @property
    def command(self):
        return [sys.executable, "-S", "-c", ROW + self.arguments[0], str(self.folder)]


def quick(tmp_path, name, script="", finish=1.0):
    """Returns a job that runs a script and then finishes, or not where that is None."""
    folder = tmp_path / "runs" / name
    if not folder.exists():
        make(folder)
    end = "" if finish is None else FINISH % finish
    return Quick(name, f"point={name}", (textwrap.dedent(script) + end,), folder)
