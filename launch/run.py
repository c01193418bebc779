"""Runs one experiment: `python -m launch.run --experiment=NAME --workdir=DIR`.

The workdir gets `config.json`, `metrics.jsonl`, `events.jsonl`, `tensorboard/`,
`curves.png`, `checkpoints/`, `best/` and `result.json`. The same command with
`--resume` goes on where a run was stopped, or begins one where there is none.
"""

import contextlib
import dataclasses
import json

from absl import flags

import experiments
from launch.flags import define, peek, read, start

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "experiment", "language_modeling", list(experiments.EXPERIMENTS), "what to run"
)
flags.DEFINE_string(
    "workdir", None, "folder for all that the run writes", required=True
)
flags.DEFINE_bool("resume", False, "go on with the run in the workdir, if there is one")
flags.DEFINE_bool(
    "override", False, "with --resume: let rates, schedules and lengths differ"
)


def main() -> None:
    """Trains what the flags describe and writes `result.json`."""
    # Imported here: --help does without flax, orbax and matplotlib.
    from launch import curves, records, results
    from rnnlab import files
    from rnnlab.errors import Diverged, Preempted, RunError
    from rnnlab.training import events, loop, workdir

    config = read(experiments.config(FLAGS.experiment))
    folder = workdir.resolve(FLAGS.workdir)
    workdir.probe(folder)
    with workdir.lock(folder):
        record = records.Record(FLAGS.experiment, config)
        old = records.read(folder)
        changed = records.check(folder, old, record, FLAGS.resume, FLAGS.override)
        experiment = experiments.load(FLAGS.experiment).build(config)
        record = dataclasses.replace(record, data=experiment.record)
        records.check_data(old, record)

        experiment.check()
        known = results.read(folder)

        def begun() -> None:
            if changed:
                log = events.Events(folder)
                told = f"the run goes on with other settings ({'; '.join(changed)})"
                log.warn(told, "overridden", changed=changed)
            records.write(folder, record)

        try:
            state, history = loop.fit(
                experiment.task,
                experiment.training,
                folder,
                record.to_json(),
                experiment.describe,
                experiment.targets,
                begun,
            )
        except RunError as error:
            with contextlib.suppress(RunError):  # the first error is told
                if not isinstance(error, (Diverged, Preempted)):  # told by the loop
                    events.Events(folder).write("failed", message=str(error))
                curves.draw(folder)
            raise
        curves.draw(folder)
        result = results.collect(experiment, record, state, history)
        if known.get("steps") == result["steps"]:
            result = known | result  # what was evaluated since still holds
        files.write_json(folder / results.RESULT, result)
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    _experiment = peek("experiment", tuple(experiments.EXPERIMENTS))
    define(experiments.config(_experiment)())
    start(main)
