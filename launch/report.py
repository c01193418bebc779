"""Makes one page of any set of runs: `python -m launch.report DIR`.

DIR is the workdir of a run, or a folder with any number of them below it. The page
needs no other file and no network: tables with spread, learning curves, probes, what
matters in a sweep, a text of the best language model, settings, commands and versions.
It is `report.html` in DIR, or what `--out` names; nothing else is written.
"""

from pathlib import Path

from absl import flags

from launch.flags import start
from rnnlab.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_string("out", None, "the page; by default DIR/report.html")
flags.DEFINE_string("metric", "valid.loss", "the figure of a result that counts")
flags.DEFINE_enum("better", "min", ["min", "max"], "which metric is the best")
flags.DEFINE_string(
    "base",
    None,
    "settings of the configuration that others are compared with, such as"
    " cell=lstm,features=256; by default the best",
)
flags.DEFINE_integer(
    "samples", 1, "texts that the best language model writes", lower_bound=0
)


def main(path: str) -> None:
    """Writes the page and prints its place."""
    from launch import runs
    from launch.parts import whole
    from launch.parts.subject import subject
    from rnnlab import files
    from rnnlab.training import workdir

    folder = workdir.resolve(path)
    found, unread = runs.find(folder)
    if not found:
        raise InputError(next(iter(unread.values())))
    about = subject(folder, found, unread, FLAGS.metric, FLAGS.better, FLAGS.base)
    out = Path(FLAGS.out).expanduser() if FLAGS.out else folder / "report.html"
    files.write_atomic(out, whole.page(about, FLAGS.samples))
    print(out)


if __name__ == "__main__":
    start(main, "DIR")
