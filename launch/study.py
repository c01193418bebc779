"""Runs a study: `python -m launch.study --study=NAME --workdir=DIR`.

The workdir gets `config.json`, `results.jsonl` with a line for each finished run, and
at the end `report.html`, `table.md`, the figures as PNG and SVG, and `findings.json`,
which `launch.claims` reads. The same command goes on where it was stopped: a finished
run is never repeated.
"""

import dataclasses
import shlex
import sys
import time

from absl import flags

from experiments.vanishing_gradients import STUDIES, load
from launch.flags import define, peek, read, start

FLAGS = flags.FLAGS

flags.DEFINE_enum("study", next(iter(STUDIES)), list(STUDIES), "what to run")
flags.DEFINE_string(
    "workdir", None, "folder for all that the study writes", required=True
)


def main() -> None:
    """Runs what is not finished yet, then writes the report."""
    from experiments.vanishing_gradients import report
    from launch import results
    from launch.measuring import machine
    from rnnlab import files
    from rnnlab.errors import IncompatibleCheckpoint, InputError
    from rnnlab.options import differences, from_dict
    from rnnlab.training import grid, workdir

    module = load(FLAGS.study)
    study, config = module.STUDY, read(module.Config)
    folder = workdir.resolve(FLAGS.workdir)
    groups = study.groups(config)
    workdir.probe(folder)
    with workdir.lock(folder):
        record = {"study": FLAGS.study, "config": dataclasses.asdict(config)}
        file, commit = folder / "config.json", results.commit()
        if file.exists():
            old = files.read_json(file)
            if not isinstance(old, dict):
                raise InputError(
                    f"{file} should hold a study's settings, got {old!r:.80}; pass"
                    f" another --workdir."
                )
            commit = old.get("commit")
            if old.get("study") != FLAGS.study:
                raise IncompatibleCheckpoint(
                    f"{folder} holds {old.get('study') or 'no study'}, not"
                    f" {FLAGS.study}; pass another --workdir."
                )
            changed = differences(from_dict(module.Config, old.get("config")), config)
            if changed:
                raise IncompatibleCheckpoint(
                    f"{folder} holds the study with other settings"
                    f" ({'; '.join(changed)}); pass those, or another --workdir."
                )
        files.write_json(file, record | {"commit": commit})
        count = sum(len(group.points) for group in groups)
        print(f"{study.title}: {count} runs in {len(groups)} programs.")
        print(study.protocol(config), flush=True)
        began = time.monotonic()
        ended = grid.run(groups, folder)
        findings = study.findings(config, ended)
        environment = {
            "begun at commit": commit or "unknown",
            "report": machine.describe(),
            "time of all runs": f"{sum(result.seconds for result in ended):,.0f} s",
            "time of this start": f"{time.monotonic() - began:,.0f} s",
        }
        command = shlex.join(["python", "-m", "launch.study", *sys.argv[1:]])
        about = study.title, study.claim, study.source, study.protocol(config)
        page = report.page(*about, command, findings, environment)
        report.write(folder, findings, page)
        files.write_json(
            folder / "findings.json",
            {
                **dict(
                    zip(("title", "claim", "source", "protocol"), about, strict=True)
                ),
                "command": command,
                "verdict": findings.verdict,
                "table": report.table(findings),
                "environment": environment,
            },
        )
        print(f"{findings.verdict}\n{folder / 'report.html'}")


if __name__ == "__main__":
    define(load(peek("study", tuple(STUDIES))).Config())
    start(main)
