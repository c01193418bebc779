"""Prints the runs of a folder as a table: `python -m launch.table DIR`.

A row is a configuration: its settings that differ, the mean over its seeds, their
standard deviation, the best of them, and how it differs from the base: by Welch's
t-test, with the 95 % confidence interval. The base is `--base=cell=lstm,layers=1`, or
that of the sweep, or the best. With `--figure=FILE.png`, or `.svg`, there is a picture
too: what each run reached.
"""

from pathlib import Path

from absl import flags

from launch.flags import start

FLAGS = flags.FLAGS

flags.DEFINE_string("metric", "valid.loss", "a figure of result.json")
flags.DEFINE_enum("better", "min", ["min", "max"], "whether low or high is good")
flags.DEFINE_string("base", None, "settings that single out one row")
flags.DEFINE_enum("format", "text", ["text", "csv", "markdown"], "of the table")
flags.DEFINE_string("figure", None, "a .png or .svg to draw it in")


def main(path: str) -> None:
    """Prints the table, and draws it."""
    from experiments.drawing import write
    from launch import spread, tables
    from rnnlab.training import workdir

    folder = workdir.resolve(path)
    file = Path(FLAGS.figure).expanduser() if FLAGS.figure else None
    if file:
        spread.check(file)
    table = tables.read(folder, FLAGS.metric, FLAGS.better, FLAGS.base)
    print(tables.text(table, FLAGS.format))
    if file:
        write(spread.figure(table.rows, table.metric, table.base), file)


if __name__ == "__main__":
    start(main, "DIR")
