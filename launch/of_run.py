"""The flags of every command that reads a run: its workdir, and where its data lies."""

from typing import Any

from absl import flags

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # they count, in --help too, as those of the command


def define_workdir() -> None:
    """Defines --workdir."""
    flags.DEFINE_string(
        "workdir", None, "folder of a finished or stopped run", required=True
    )


def define_data() -> None:
    """Defines --data and --cache_dir, which `given` reads."""
    flags.DEFINE_string("data", None, "where the run's data lies now, if it has moved")
    flags.DEFINE_string(
        "cache_dir", None, "of tokenised text; by default ~/.cache/rnnlab"
    )


def given(*names: str) -> dict[str, Any]:
    """Returns the settings that differ from the run's: by flags, and the cache.

    The cache is never where the record of a run says, which may be a stranger's.

    Args:
        *names: flags, beside --data, that take the place of settings where given.
    """
    present = {n: FLAGS[n].value for n in ("data", *names) if FLAGS[n].present}
    return present | {"cache_dir": FLAGS.cache_dir}
