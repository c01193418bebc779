"""Shows what single units hold over a text: `python -m launch.units --workdir=DIR`.

One page, `units.html` in the workdir, without a network: the text, each token in the
colour of a unit's value, for any unit of any layer, and the units that follow what can
be told of a place in a text, such as quotes, brackets and the column.
"""

import itertools
from pathlib import Path

from absl import flags

from launch import of_run
from launch.flags import start

FLAGS = flags.FLAGS

of_run.define_workdir()
of_run.define_data()
flags.DEFINE_string("text", None, "a file to read; by default the run's own split")
flags.DEFINE_enum("split", "valid", ["train", "valid", "test"], "of the run's data")
flags.DEFINE_integer("length", 2000, "tokens of the text", lower_bound=2)
flags.DEFINE_integer("units", 256, "units on the page, at most", lower_bound=1)
flags.DEFINE_string("out", None, "the page; by default units.html in the workdir")


def main() -> None:
    """Reads a text with the best checkpoint and writes the page."""
    import numpy as np

    from experiments.language_modeling import findings
    from launch import trained
    from launch.held import held
    from launch.parts import units
    from rnnlab import files
    from rnnlab.data import tokenizers
    from rnnlab.errors import InputError, shown
    from rnnlab.training import workdir

    for name in ("split", "data"):
        if FLAGS.text is not None and FLAGS[name].present:
            raise InputError(
                f"--{name} is of the run's data, got it with --text; leave one out."
            )
    record, task, state = trained.restore(FLAGS.workdir)
    tokenizer = tokenizers.from_json(record.data["tokenizer"])
    if FLAGS.text is None:
        ids, source = _of_split(), f"{FLAGS.split} split of the run's data"
    else:
        source = Path(FLAGS.text).expanduser()
        try:
            text = files.read(source).decode(errors="replace")
        except OSError as error:
            raise InputError(
                f"--text must be a file that can be read, got {source}"
                f" ({error.strerror}); name another."
            ) from error
        ids = tokenizer.encode(text)
    ids = np.asarray(ids[: FLAGS.length], np.int32)
    if len(ids) < 2:
        raise InputError(
            f"--text and --length must leave two tokens or more, got {len(ids)} of"
            f" {source}; name a longer text."
        )
    pieces = list(tokenizer.stream(ids.tolist()))
    if len(pieces) != len(ids):  # a character may take several
        pieces = findings.pieces(ids, tokenizer)
    found = units.units(held(task.model, state.params, ids), pieces)
    folder = workdir.resolve(FLAGS.workdir)
    about = {
        "model": f"{record.config.layers} x {record.config.cell}, step {state.step}",
        "text": f"{len(ids):,} tokens of {source}",
        "units": f"{min(len(found), FLAGS.units):,} of {len(found):,}, by how closely"
        " they follow something",
    }
    title = f"Units of {shown(folder.name)}"
    page = units.page(title, about, found[: FLAGS.units], pieces)
    out = Path(FLAGS.out).expanduser() if FLAGS.out else folder / "units.html"
    files.write_atomic(out, page)
    print(out)


def _of_split():
    """Returns the first tokens of a split of the run's data."""
    import numpy as np

    from launch import trained

    given = of_run.given() | {"engine": "auto", "eval_batch_size": 1}
    found = trained.with_data(FLAGS.workdir, given, FLAGS.split)
    task = found.experiment.task
    windows = -(-FLAGS.length // found.record.config.length)
    most = len(task.streams[FLAGS.split])  # train begins anew where it ends
    batches = itertools.islice(task.batches(FLAGS.split), min(windows, most))
    return np.concatenate([batch.inputs[batch.mask[:, 0], 0] for batch in batches])


if __name__ == "__main__":
    start(main)
