"""What a workdir is: which experiment, which configuration, which data.

`config.json` says it for people and for the next start; each checkpoint says it too,
with the tokenizer, so that a model can be used from its checkpoint alone.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import experiments
from rnnlab.errors import IncompatibleCheckpoint, InputError
from rnnlab.options import differences, from_dict
from rnnlab.training import workdir

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


def from_json(data: Mapping[str, Any]) -> Record:
    """Returns the record that `to_json` wrote.

    Raises:
        InputError: it names an experiment or a field that does not exist.
    """
    name = data["experiment"]
    if name not in experiments.EXPERIMENTS:
        known = ", ".join(experiments.EXPERIMENTS)
        raise InputError(
            f"The run's experiment must be one of {known}, got {name!r};"
            f" use the version of this code that wrote it."
        )
    config = from_dict(experiments.config(name), data["config"])
    return Record(name, config, data["data"])


def write(folder: Path, record: Record) -> None:
    """Writes `config.json`, the tokenizer left out."""
    fingerprint = {"fingerprint": record.data["fingerprint"]}
    short = dataclasses.replace(record, data=fingerprint)
    workdir.write_json(folder / CONFIG, short.to_json())


def check(folder: Path, record: Record, resume: bool) -> None:
    """Raises unless `record` may be run in `folder`; an empty folder takes any.

    Raises:
        InputError: the folder holds a run and `resume` is not set.
        IncompatibleCheckpoint: it holds a run of another experiment or configuration.
    """
    old = _read(folder)
    if old is None:
        return
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
    changed = differences(old.config, record.config)
    if changed:
        raise IncompatibleCheckpoint(
            f"{folder} holds a run with other settings ({'; '.join(changed)});"
            f" pass those it was begun with, or another --workdir."
        )


def check_data(folder: Path, record: Record) -> None:
    """Raises IncompatibleCheckpoint if the run in `folder` was on other data."""
    old = _read(folder)
    if old is not None and old.data["fingerprint"] != record.data["fingerprint"]:
        raise IncompatibleCheckpoint(
            f"{folder} holds a run on data {old.data['fingerprint'][:12]}, but --data"
            f" has {record.data['fingerprint'][:12]}, so that ids would mean other"
            f" tokens; pass the data it was begun with, or another --workdir."
        )


def _read(folder: Path) -> Record | None:
    """Returns the record in `folder`, or None where there is none."""
    if not (folder / CONFIG).exists():
        return None
    return from_json(workdir.read_json(folder / CONFIG))
