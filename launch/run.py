"""Runs one experiment: `python -m launch.run --experiment=NAME --workdir=DIR`.

The workdir gets `config.json`, `metrics.jsonl`, `tensorboard/`, `curves.png`,
`checkpoints/`, `best/` and `result.json`. The same command with `--resume` goes on
where a run was stopped, or begins one where there is none.
"""

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


def main() -> None:
    """Trains what the flags describe and writes `result.json`."""
    # Imported here: --help does without flax, orbax and matplotlib.
    from launch import curves, records, results
    from rnnlab import files
    from rnnlab.training import loop, workdir, writers

    config = read(experiments.config(FLAGS.experiment))
    folder = workdir.resolve(FLAGS.workdir)
    workdir.probe(folder)
    with workdir.lock(folder):
        record = records.Record(FLAGS.experiment, config)
        old = records.read(folder)
        records.check(folder, old, record, FLAGS.resume)
        experiment = experiments.load(FLAGS.experiment).build(config)
        record = dataclasses.replace(record, data=experiment.record)
        records.check_data(old, record)
        records.write(folder, record)
        try:
            state, history = loop.fit(
                experiment.task,
                experiment.training,
                folder,
                record.to_json(),
                experiment.describe,
                experiment.targets,
            )
        finally:
            if (folder / writers.METRICS).exists():
                curves.draw(folder)
        result = results.collect(experiment, record, state, history)
        file = folder / results.RESULT
        known = files.read_json(file) if file.exists() else {}
        if known.get("steps") == result["steps"]:
            result = known | result  # what was evaluated since still holds
        files.write_json(file, result)
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    _experiment = peek("experiment", tuple(experiments.EXPERIMENTS))
    define(experiments.config(_experiment)())
    start(main)
