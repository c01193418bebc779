"""Writes the page of claims: `python -m launch.claims --runs=DIR --page=FILE`.

For each folder in DIR with the `findings.json` of a study: what was published, what was
seen here, in which time, by which code and how to do it again.
"""

import re
from pathlib import Path
from typing import Any

from absl import flags

from launch.flags import start

FLAGS = flags.FLAGS

flags.DEFINE_string("runs", None, "folder of studies' workdirs", required=True)
flags.DEFINE_string("page", "docs/claims.md", "the page, in Markdown")

HEAD = """\
# Claims, and what became of them

Published claims, tried here by `launch.study`, each in a few minutes or hours of two
cores. A verdict is that of the protocol under it: most are far shorter than the
papers'. "Not reproduced" says that this protocol did not show the claim, no more.
Times are upper bounds: other work may have run beside.

| study | verdict | time of all runs |
|---|---|--:|
"""


def main() -> None:
    """Writes the page."""
    from rnnlab.errors import InputError
    from rnnlab.files import read_json, write_atomic

    found = sorted(Path(FLAGS.runs).expanduser().glob("*/findings.json"))
    if not found:
        raise InputError(
            f"--runs must be a folder of studies that are finished, got {FLAGS.runs},"
            f" where no folder has a findings.json; run launch.study."
        )
    studies = [read_json(file) for file in found]
    rows = "".join(map(row, studies))
    write_atomic(Path(FLAGS.page), HEAD + rows + "".join(map(section, studies)))


def row(study: dict[str, Any]) -> str:
    """Returns a study's line of the table."""
    title, seconds = study["title"], study["environment"]["time of all runs"]
    place = "".join(
        c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-"
    )
    verdict = study["verdict"].replace("|", "\\|")
    return f"| [{title}](#{place}) | {verdict} | {seconds} |\n"


def section(study: dict[str, Any]) -> str:
    """Returns what is said of a study."""
    environment = study["environment"]
    command = " ".join(
        re.sub("=.*/", "=", word)  # where a file lay is nobody's business
        for word in study["command"].split()
        if not word.startswith("--workdir")
    )
    return (
        f"\n## {study['title']}\n\n*Claim* ({study['source']}): {study['claim']}\n\n"
        f"*Protocol*: {study['protocol']}\n\n*Verdict*: {study['verdict']}\n\n"
        f"{study['table'].strip()}\n\n`{command} --workdir=DIR`. Begun at commit"
        f" {environment['begun at commit']}; the report: {environment['report']}\n"
    )


if __name__ == "__main__":
    start(main)
