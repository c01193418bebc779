"""The commands that repeat each run: only what is not the default stands in them."""

import shlex

from experiments import pages
from launch import records
from launch.parts.subject import Subject
from launch.parts.text import counted, plain
from launch.runs import Run
from rnnlab.errors import shown

AGAIN = "again"  # the folder that a repeated run is written below


def commands(subject: Subject) -> str:
    """Returns the runs' commands, folded."""
    every = "\n".join(
        f"<h3>{plain(subject.place(run.folder))}</h3>\n"
        f"{pages.command(map(shown, words(run, subject.place(run.folder))))}"
        for group in subject.groups
        for run in group.runs
    )
    count = counted(len(subject.runs), "command")
    return f"<details><summary>{count}</summary>\n{every}\n</details>"


def words(run: Run, place: str) -> list[str]:
    """Returns the words of a command line, quoted for a shell."""
    arguments = [*records.arguments(run.record), f"--workdir={AGAIN}/{place}"]
    return [shlex.quote(word) for word in ["python", "-m", "launch.run", *arguments]]
