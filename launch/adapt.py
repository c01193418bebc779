"""Evaluates a model that follows the text: `python -m launch.adapt --workdir=DIR`.

With `--dynamic=rms` or `sgd` its parameters follow the text, a step after each
`--dynamic_length` tokens of a row; with `--cache_size=2000` it is mixed with a cache of
its last states; both flags do both. `--tune` chooses the settings on the valid split.
A row is a text of its own to the cache, and all rows share the parameters: the papers'
figures are those of `--eval_batch_size=1`. The figures of each way, those of plain
evaluation first, are printed and kept in `result.json`, the newest of each way.
"""

import json
import time

from absl import flags

from experiments.language_modeling.ways import Cache, Dynamic, ways
from launch import of_run
from launch.flags import define, read, start
from rnnlab.errors import InputError

FLAGS = flags.FLAGS

of_run.define_workdir()
of_run.define_data()
flags.DEFINE_enum("split", "test", ["valid", "test"], "what to measure on")
flags.DEFINE_integer("eval_batch_size", 1, "rows of text side by side", lower_bound=1)
flags.DEFINE_bool("tune", False, "choose the settings on the valid split")
flags.DEFINE_integer(
    "tune_tokens", 50_000, "tokens of valid to tune on, about, at most", lower_bound=1
)
flags.DEFINE_integer(
    "statistics",
    500,
    "windows of --dynamic_length tokens of the training text, a batch of rows side by"
    " side, that tell how large gradients are",
    lower_bound=1,
)


def main() -> None:
    """Evaluates the best checkpoint in each way and prints the figures as JSON."""
    from experiments.language_modeling import adapt, reading
    from launch import results, trained
    from rnnlab.training import workdir

    compared = ways(read(Dynamic), read(Cache))
    rms = any(way.dynamic.dynamic == "rms" for way in compared.values())
    _check_use(rms)
    given = of_run.given() | {
        "eval_batch_size": FLAGS.eval_batch_size,
        "engine": "auto",  # not that of another machine
    }
    _, experiment, params, _ = trained.with_data(FLAGS.workdir, given, FLAGS.split)
    task = experiment.task
    if FLAGS.tune and "valid" not in task.splits:
        raise InputError(
            "--tune needs a split valid to choose on, which the run's data has not;"
            " leave it out."
        )
    size = None
    if rms:
        length = FLAGS.dynamic_length
        size = adapt.sizes(task, params, length, FLAGS.statistics)
    model = adapt.Adapting(task, params, size)
    text = reading.whole(task, FLAGS.split)
    found = {}
    if FLAGS.tune:
        valid = reading.whole(task, "valid")
        compared = model.tuned(compared, reading.beginning(valid, FLAGS.tune_tokens))
    for name, way in compared.items():
        begun = time.perf_counter()
        figures = results.measured(experiment, model.costs(way, text), FLAGS.split)
        figures["seconds"] = round(time.perf_counter() - begun, 1)  # with compiling
        found[name] = way.settings | figures
        print(json.dumps({name: found[name]}, indent=2), flush=True)
    folder, rows = workdir.resolve(FLAGS.workdir), FLAGS.eval_batch_size
    name = f"{FLAGS.split}_adapted" + (f"_of_{rows}_rows" if rows > 1 else "")
    results.add(folder, {name: results.read(folder).get(name, {}) | found})


def _check_use(rms: bool) -> None:
    """Raises InputError for a flag that nothing would heed."""
    for name, used, wanted in (
        ("statistics", rms, "--dynamic=rms"),
        ("tune_tokens", FLAGS.tune, "--tune"),
    ):
        if FLAGS[name].present and not used:
            raise InputError(f"--{name} needs {wanted}; add that, or leave it out.")


if __name__ == "__main__":
    define(Dynamic())
    define(Cache())
    start(main)
