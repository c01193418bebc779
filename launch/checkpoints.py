"""Looks after a run's checkpoints: `python -m launch.checkpoints COMMAND WORKDIR`.

    list        each step: newest or best, whole or damaged, bytes, when it was saved
    verify      the same of damaged steps alone; exit code 4 if there is one, or no step
    hash        the SHA-256 over all that the newest checkpoint holds of the run's state
    quarantine  moves damaged steps out of the way, to `quarantine/` beside them

None but `quarantine` changes a file. Two runs with one hash are equal bit for bit.
"""

import datetime
from contextlib import nullcontext
from pathlib import Path

from launch.flags import start

COMMANDS = ("list", "verify", "hash", "quarantine")


def main(command: str, path: str) -> None:
    """Runs one command on a workdir."""
    from rnnlab.errors import InputError, NoUsableCheckpoint, shown
    from rnnlab.training import sealed, workdir
    from rnnlab.training.checkpoints import Checkpoints
    from rnnlab.training.stored import Stored

    if command not in COMMANDS:
        raise InputError(
            f"The command must be one of {', '.join(COMMANDS)}, got {command!r}; choose"
            f" one of these."
        )
    folder = workdir.resolve(path)
    if not folder.is_dir():
        raise InputError(
            f"A folder with a run was wanted, and {folder} is none; check the path."
        )
    if command == "hash":
        return print(_hash(folder))
    alone = workdir.lock(folder) if command == "quarantine" else nullcontext()
    whole = damaged = 0
    with alone:
        for name in ("checkpoints", "best"):
            with Checkpoints(folder / name, keep=1) as checkpoints:
                for step in checkpoints.steps:
                    place = checkpoints.directory / str(step)
                    about = f"{name}/{step}  {_about(place)}"
                    try:
                        Stored.open(place)
                        whole += 1
                        if command == "list":
                            print(f"{about}  whole")
                    except sealed.Damaged as error:
                        if not place.exists():  # its run has deleted it
                            continue
                        damaged += 1
                        print(shown(f"{about}  damaged: {error}"))
                        if command == "quarantine":
                            print(f"moved to {checkpoints.quarantine(step)}")
    if command == "verify" and not whole and not damaged:
        raise NoUsableCheckpoint(
            f"{folder} should hold a checkpoint, but there is none; name the workdir of"
            f" a run."
        )
    if command == "verify" and damaged:
        raise NoUsableCheckpoint(
            f"{folder} should hold whole checkpoints, but {whole} are whole and"
            f" {damaged} damaged; `python -m launch.checkpoints quarantine {folder}`"
            f" moves these away."
        )


def _hash(folder: Path) -> str:
    """Returns step and hash of the newest checkpoint."""
    from launch.trained import read
    from rnnlab.training.checkpoints import Checkpoints
    from rnnlab.training.history import History
    from rnnlab.training.leaves import digest

    with Checkpoints(folder / "checkpoints", keep=1) as newest:
        stored = newest.open()
    history = History.from_json(stored.metadata.get("history"))
    return f"{stored.step} {digest((read(stored).state, history.exact()))}"


def _about(place: Path) -> str:
    """Returns the bytes of a step, and when it was saved."""
    try:
        size = sum(file.lstat().st_size for file in place.rglob("*") if file.is_file())
        when = datetime.datetime.fromtimestamp(place.stat().st_mtime)
    except (OSError, RecursionError, OverflowError, ValueError):  # in the year 99999
        return "of no known size and time"
    return f"{size:>12,} bytes  {when:%Y-%m-%d %H:%M:%S}"


if __name__ == "__main__":
    start(main, "COMMAND", "WORKDIR")
