"""What a workdir is: which experiment, which configuration, which data.

`config.json` says it for people and for the next start; each checkpoint says it too,
with the tokenizer, so that a model can be used from its checkpoint alone.
"""

import dataclasses
import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import experiments
from rnnlab import files
from rnnlab.errors import IncompatibleCheckpoint, InputError
from rnnlab.options import differences, flat, from_dict
from rnnlab.training.checkpoints import Checkpoints

CONFIG = "config.json"


@dataclasses.dataclass(frozen=True)
class Record:
    """The identity of a run.

    Attributes:
        experiment: a key of `experiments.EXPERIMENTS`.
        config: its `Config`.
        data: what the experiment wants kept; `fingerprint` names the data.
    """

    experiment: str
    config: Any
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; `from_json` reads it."""
        config = dataclasses.asdict(self.config)
        return {
            "experiment": self.experiment,
            "config": config,
            "data": dict(self.data),
        }


def from_json(data: Any) -> Record:
    """Returns the record that `to_json` wrote.

    Raises:
        InputError: it names an experiment or a field that does not exist.
    """
    match data:
        case {
            "experiment": str(name),
            "config": {**fields},
            "data": {"fingerprint": str(), **rest},
        }:
            kept = {"fingerprint": data["data"]["fingerprint"], **rest}
        case _:
            raise InputError(
                "A run's record must name its experiment, config and data, got"
                f" {data!r:.80}; pass the --workdir of a run."
            )
    if name not in experiments.EXPERIMENTS:
        known = ", ".join(experiments.EXPERIMENTS)
        raise InputError(
            f"The run's experiment must be one of {known}, got {name!r:.80};"
            f" use the version of this code that wrote it."
        )
    return Record(name, from_dict(experiments.config(name), fields), kept)


def arguments(record: Record) -> list[str]:
    """Returns the flags that describe a run, those with their default left out."""
    first = next(iter(experiments.EXPERIMENTS))
    found = [] if record.experiment == first else [f"--experiment={record.experiment}"]
    defaults = flat(experiments.config(record.experiment)())
    for name, value in flat(record.config).items():
        if value == defaults[name]:
            continue
        match value:
            case bool():
                found.append(f"--{name}" if value else f"--no{name}")
            case None:
                found.append(f"--{name}=none")
            case _:
                found.append(f"--{name}={value}")
    return found


def write(folder: Path, record: Record) -> None:
    """Writes `config.json`, the tokenizer left out."""
    data = {k: v for k, v in record.data.items() if k != "tokenizer"}
    short = dataclasses.replace(record, data=data)
    files.write_json(folder / CONFIG, short.to_json())


def check(
    folder: Path, old: Record | None, record: Record, resume: bool, override: bool
) -> list[str]:
    """Returns the settings that are overridden, or refuses to run `record`.

    Args:
        folder: the workdir.
        old: the run that it holds, or None.
        record: the run that is wanted.
        resume: whether to go on with a run that is there.
        override: whether settings that the state does not depend on may differ.

    Raises:
        InputError: the folder holds a run and `resume` is not set.
        IncompatibleCheckpoint: it holds a run of another experiment or configuration.
    """
    if old is None:
        return []
    if not resume:
        raise InputError(
            f"--workdir must be a folder without a run, but {folder} holds one of"
            f" {old.experiment}; pass --resume to go on with it, or another folder."
        )
    if old.experiment != record.experiment:
        raise IncompatibleCheckpoint(
            f"{folder} holds a run of {old.experiment}, not of {record.experiment};"
            f" pass another --workdir."
        )
    hard = differences(old.config, record.config, soft=False)
    soft = differences(old.config, record.config, soft=True)
    changed = hard if override else hard + soft
    if changed:
        listed = textwrap.shorten("; ".join(changed), 300, placeholder=" ...")
        way = "" if hard else ", --override to go on with the new ones"
        raise IncompatibleCheckpoint(
            f"{folder} holds a run with other settings ({listed});"
            f" pass those it was begun with{way}, or another --workdir."
        )
    return soft


def check_data(old: Record | None, new: Record) -> None:
    """Raises IncompatibleCheckpoint if the old run was on other data than the new."""
    if old is None or old.data["fingerprint"] == new.data["fingerprint"]:
        return
    same = old.data.get("sha256") == new.data.get("sha256")
    why = (
        "the same text, cut or tokenised otherwise, by a flag or by another version of"
        " rnnlab"
        if same
        else "another text"
    )
    raise IncompatibleCheckpoint(
        f"The run was on data {old.data['fingerprint'][:12]}, but --data has"
        f" {new.data['fingerprint'][:12]}, {why}, so that ids may mean other tokens;"
        f" pass the data it was begun with, or another --workdir."
    )


def read(folder: Path) -> Record | None:
    """Returns the record in `folder`, of its newest checkpoint if need be, or None.

    Raises:
        InputError: `config.json` is no record.
    """
    if os.path.lexists(folder / CONFIG):
        try:
            return from_json(files.read_json(folder / CONFIG))
        except InputError as error:
            raise InputError(
                f"{folder / CONFIG} should be the record of a run, but {error} Delete"
                f" it to take the record of the newest checkpoint."
            ) from error
    with Checkpoints(folder / "checkpoints", keep=1) as newest:
        whole, _ = newest.whole()
        return None if whole is None else from_json(whole.metadata)
