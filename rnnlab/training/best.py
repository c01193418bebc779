"""The checkpoint of a run that is used once it is trained."""

from pathlib import Path

from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.stored import Stored


def best(folder: Path) -> Stored:
    """Returns the best checkpoint of a workdir, or the newest where none is best.

    Raises:
        NoUsableCheckpoint: no checkpoint can be read.
    """
    with (
        Checkpoints(folder / "best", keep=1) as kept,
        Checkpoints(folder / "checkpoints", keep=1) as newest,
    ):
        return (newest if kept.latest is None else kept).open()
