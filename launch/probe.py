"""Looks inside of a trained language model: `python -m launch.probe --workdir=DIR`.

For each layer: the norm of the gradient by lag, how fast it fades and how far it
reaches; the saturation of its gates, the time in which its units forget, the norm of
its state; singular values of the Jacobians of its steps and Lyapunov exponents. For the
whole: what the gradient loses by truncation. The figures are printed and kept in the
workdir's `probe.json`, with the curves that `probe.png` shows.
"""

import dataclasses
import itertools
import json
import math
from typing import Any

from absl import flags

from launch.flags import start

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "workdir", None, "folder of a finished or stopped run", required=True
)
flags.DEFINE_enum("split", "valid", ["train", "valid", "test"], "what to run on")
flags.DEFINE_string("data", None, "where the run's data lies now, if it has moved")
flags.DEFINE_string("cache_dir", None, "of tokenised text; by default ~/.cache/rnnlab")
flags.DEFINE_integer("batches", 4, "of the split, one after the other", lower_bound=1)


def main() -> None:
    """Probes the best checkpoint, prints the figures as JSON and draws them."""
    import experiments
    from launch import examine, panels, records, trained
    from rnnlab import files
    from rnnlab.errors import InputError
    from rnnlab.training import workdir

    record, task, state = trained.restore(FLAGS.workdir)
    if record.experiment != "language_modeling":
        raise InputError(
            f"launch.probe looks into runs of language_modeling, got one of"
            f" {record.experiment}; pass the --workdir of another run."
        )
    given = {"data": FLAGS.data} if FLAGS["data"].present else {}
    given["cache_dir"] = FLAGS.cache_dir  # not where a stranger's record says
    config = dataclasses.replace(record.config, **given, engine="auto")
    experiment = experiments.load(record.experiment).build(config)
    records.check_data(record, dataclasses.replace(record, data=experiment.record))
    if FLAGS.split not in experiment.task.splits:
        raise InputError(
            f"--split must be one that the data has"
            f" ({', '.join(experiment.task.splits)}), got {FLAGS.split}."
        )
    batches = experiment.task.batches(FLAGS.split)
    batch = examine.sequence(itertools.islice(batches, FLAGS.batches))
    found = examine.examine(task, state.params, batch, config.length)
    folder = workdir.resolve(FLAGS.workdir)
    title = f"{folder.name}: {config.cell}, {config.features} units, {FLAGS.split}"
    panels.draw(folder / "probe.png", found, title)
    whole = plain({"split": FLAGS.split, "step": int(state.step)} | found)
    files.write_json(folder / "probe.json", whole)
    long = {"curves", "singular_values"}
    whole["layers"] = [
        {name: value for name, value in layer.items() if name not in long}
        for layer in whole["layers"]
    ]
    print(json.dumps(whole, indent=2))


def plain(value: Any) -> Any:
    """Returns data as JSON has it: arrays as lists, what is not finite as null."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    start(main)
