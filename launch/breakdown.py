"""Shows where the nats go: `python -m launch.breakdown --workdir=DIR --split=valid`.

By how often a target stands in train, by its place in the line and after the state was
blank; which tokens cost most, in all and singly; how far the model's confidence is
right. The figures are printed and kept in the workdir's `breakdown.json`, drawn in
`breakdown.png` and `calibration.png` (and .svg), and `tokens.html` is the beginning of
the text, each token shaded by its cost.
"""

import json

from absl import flags

from launch import of_run
from launch.flags import start

FLAGS = flags.FLAGS

of_run.define_workdir()
of_run.define_data()
flags.DEFINE_enum("split", "valid", ["valid", "test"], "what to read")
flags.DEFINE_integer("eval_batch_size", None, "rows, if not the run's", lower_bound=1)
flags.DEFINE_integer("shown", 3000, "tokens on the page", lower_bound=1)
flags.DEFINE_integer("most", 20, "tokens that cost most to list", lower_bound=1)


def main() -> None:
    """Breaks the best checkpoint's loss down; writes figures, pictures and a page."""
    from experiments import drawing
    from experiments.language_modeling import breakdown_figures, findings, shaded
    from launch import results, trained
    from rnnlab import files
    from rnnlab.data import tokenizers
    from rnnlab.errors import shown
    from rnnlab.training import workdir

    given = of_run.given("eval_batch_size") | {"engine": "auto"}  # of this machine
    model = trained.with_data(FLAGS.workdir, given, FLAGS.split)
    tokenizer = tokenizers.from_json(model.record.data["tokenizer"])
    task = model.experiment.task
    found = findings.find(task, model.params, tokenizer, FLAGS.split, FLAGS.most)
    measured = results.measured(model.experiment, found.told.nats, FLAGS.split)
    known = {"split": FLAGS.split, "step": model.step, **measured, **found.to_json()}
    print(json.dumps(known, indent=2))
    folder = workdir.resolve(FLAGS.workdir)
    files.write_json(folder / "breakdown.json", known)
    drawing.save(breakdown_figures.costs(found.groups), folder, "breakdown")
    drawing.save(breakdown_figures.confidence(found.bins), folder, "calibration")
    title = f"{shown(folder.name)}: what each token of {FLAGS.split} costs"
    page = shaded.page(title, known, found, tokenizer, FLAGS.shown)
    files.write_atomic(folder / "tokens.html", page)


if __name__ == "__main__":
    start(main)
