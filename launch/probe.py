"""Looks inside of a trained language model: `python -m launch.probe --workdir=DIR`.

For each layer: the norm of the gradient by lag, how fast it fades and how far it
reaches; the saturation of its gates, the time in which its units forget, the norm of
its state; singular values of the Jacobians of its steps and Lyapunov exponents. For the
whole: what the gradient loses by truncation. The figures are printed and kept in the
workdir's `probe.json`, with the curves that `probe.png` shows.
"""

import itertools
import json
import math
from typing import Any

from absl import flags

from launch import of_run
from launch.flags import start

FLAGS = flags.FLAGS

of_run.define_workdir()
of_run.define_data()
flags.DEFINE_enum("split", "valid", ["train", "valid", "test"], "what to run on")
flags.DEFINE_integer("batches", 4, "of the split, one after the other", lower_bound=1)


def main() -> None:
    """Probes the best checkpoint, prints the figures as JSON and draws them."""
    from launch import examine, panels, trained
    from rnnlab import files
    from rnnlab.training import workdir

    given = of_run.given() | {"engine": "auto"}  # not that of another machine
    model = trained.with_data(FLAGS.workdir, given, FLAGS.split)
    task, config = model.experiment.task, model.record.config
    count = min(FLAGS.batches, len(task.streams[FLAGS.split]))  # train has no end
    batch = examine.sequence(itertools.islice(task.batches(FLAGS.split), count))
    found = examine.examine(task, model.params, batch, config.length)
    folder = workdir.resolve(FLAGS.workdir)
    title = f"{folder.name}: {config.cell}, {config.features} units, {FLAGS.split}"
    panels.draw(folder / "probe.png", found, title)
    whole = plain({"split": FLAGS.split, "step": model.step} | found)
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
