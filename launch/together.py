"""Trains runs that differ in seed, learning rate or dropout as one program, for sweeps.

`python -m launch.together --runs=DIR --members='seed=0,learning_rate=0.1;seed=1'` and
the flags of the experiment, which all runs share. Each run has its own workdir in DIR,
named as launch.sweep names it, which is that of a run of `launch.run`.
"""

import contextlib
import dataclasses

from absl import flags

import experiments
from launch.flags import define, peek, read, start
from rnnlab.errors import Diverged

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "experiment", "language_modeling", list(experiments.EXPERIMENTS), "what to run"
)
flags.DEFINE_string("runs", None, "folder of the runs' workdirs", required=True)
flags.DEFINE_string("members", None, "what each run has of its own", required=True)


def main() -> None:
    """Trains all runs and writes the `result.json` of each."""
    from launch import bookkeeping, results
    from launch.records import Record
    from launch.sweeping.points import key_of
    from launch.sweeping.space import Settings
    from rnnlab.errors import RunError
    from rnnlab.options import flat, replaced
    from rnnlab.training import together, workdir

    shared = read(experiments.config(FLAGS.experiment))
    own = Settings(shared).members("members", FLAGS.members)
    folder = workdir.resolve(FLAGS.runs)
    made = [Record(FLAGS.experiment, replaced(shared, values)) for values in own]
    places = [folder / key_of(FLAGS.experiment, record.config) for record in made]
    with contextlib.ExitStack() as held:
        for place, record in zip(places, made, strict=True):
            bookkeeping.enter(place, record, held, resume=True, override=False)
        experiment = experiments.load(FLAGS.experiment).build(made[0].config)
        made = [dataclasses.replace(each, data=experiment.record) for each in made]
        known = list(map(bookkeeping.check_data, places, made))
        experiment.check()
        records = dict(zip(places, made, strict=True))
        each = [flat(record.config) for record in made]
        differ = [n for n in shared.traced if any(v[n] != each[0][n] for v in each)]
        members = [
            together.Member(
                record.config.training,
                place,
                record.to_json(),
                {name: values[name] for name in differ},
            )
            for (place, record), values in zip(records.items(), each, strict=True)
        ]
        try:
            ends = together.fit(
                experiment.task,
                members,
                experiment.describe,
                experiment.targets,
                lambda member: bookkeeping.begin(
                    member.workdir, records[member.workdir], []
                ),
            )
        except RunError as error:
            for place in places:
                bookkeeping.failed(place, error)
            raise
        for end, before, (place, record) in zip(
            ends, known, records.items(), strict=True
        ):
            if isinstance(end, Diverged):
                bookkeeping.failed(place, end)
                continue
            result = results.collect(experiment, record, end.state, end.history)
            bookkeeping.end(place, result | {"together": len(members)}, before)
    lost = [end for end in ends if isinstance(end, Diverged)]
    if lost:
        raise Diverged(
            f"{len(lost)} of {len(ends)} runs diverged; the first: {lost[0]}"
        )


if __name__ == "__main__":
    define(experiments.config(peek("experiment", tuple(experiments.EXPERIMENTS)))())
    start(main)
