"""Optuna asks for points, and learns from what becomes of them.

A journal in the sweep's folder keeps all trials: a search that is killed goes on, and
the runs of trials that were under way go on, though none of these is pruned.
"""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from launch.sweeping.board import Board
from launch.sweeping.jobs import Ended, Job
from launch.sweeping.local import TURN, Pool
from launch.sweeping.space import DIGITS, Axis, Choice, Range, Value
from rnnlab.errors import IncompatibleCheckpoint, InputError
from rnnlab.training.events import Events
from rnnlab.training.signals import StopSignals
from rnnlab.training.writers import METRICS, read_metrics

if TYPE_CHECKING:
    from optuna import Study, Trial

JOURNAL = "optuna.jsonl"
ABOUT = "about"  # the attribute of a study that says what is searched
VALUES = "values"  # that of a trial with its settings
FIRST = 5  # trials that none is compared with
MakeJob = Callable[[Mapping[str, Value]], Job]


def open_study(folder: Path, about: str, seed: int) -> "Study":
    """Returns the study in a folder, or a new one.

    Args:
        folder: the sweep's.
        about: what is searched: the same for the same search.
        seed: of what is asked for.

    Raises:
        IncompatibleCheckpoint: the folder has a search of something else.
        InputError: optuna is not installed.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ModuleNotFoundError as error:
        raise InputError(
            "A search needs optuna, which is not installed; pip install"
            " 'rnnlab[search]'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="search",
        storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST),
        load_if_exists=True,
    )
    if study.user_attrs.setdefault(ABOUT, about) != about:
        raise IncompatibleCheckpoint(
            f"{folder} holds a search of something else; pass the flags that it was"
            f" begun with, or another --workdir."
        )
    study.set_user_attr(ABOUT, about)
    # A search that goes on asks for something new.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def run(
    study: "Study",
    axes: Mapping[str, Axis],
    trials: int,
    workers: int,
    make: MakeJob,
    board: Board,
    told: Callable[[Job, Ended], None],
) -> None:
    """Runs trials until there are `trials`, the pruned and failed ones among them.

    A trial whose validation loss is worse than the median of the others' best at that
    step is pruned: its run saves and ends, and its `events.jsonl` says so.

    Raises:
        Preempted: a signal came; the runs under way have saved and ended.
        StorageError: a folder cannot be made, or an event not be written.
    """
    from optuna.trial import TrialState

    asked: dict[str, Trial | int] = {}
    reported: dict[str, int] = {}

    def over(job: Job, end: Ended) -> None:
        trial = asked.pop(job.key)
        if not isinstance(trial, int):  # its last ones, or all of a short run
            _report(trial, job, reported)
        value = min(_losses(job.folder).values(), default=None)
        if end.state == "finished" and value is not None:
            study.tell(trial, value)
        else:
            pruned = end.state == "pruned"
            if pruned:  # the run itself knows of a signal only
                Events(job.folder).write("pruned", message=end.message)
            study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)
        told(job, end)

    with StopSignals() as stop, Pool(workers, over) as pool:
        for number, values in _under_way(study).items():
            job = make(values)
            asked[job.key] = number
            pool.waiting.append(job)
        while pool.busy or ended(study) < trials:
            while pool.idle > 0 and ended(study) + len(asked) < trials:
                trial, values = _proposed(study, axes)
                job = make(values)
                if job.key in asked:  # it runs already, for another trial
                    study.tell(trial, state=TrialState.FAIL)
                    break
                asked[job.key] = trial
                pool.waiting.append(job)
            pool.turn(stop)
            for job in pool.jobs:
                trial = asked[job.key]
                if isinstance(trial, int):
                    continue
                _report(trial, job, reported)
                if job.key in reported and trial.should_prune():
                    pool.drop(job, Ended("pruned", "worse than the median"))
            board.watch(pool.jobs, len(pool.waiting))
            time.sleep(TURN)


def _proposed(
    study: "Study", axes: Mapping[str, Axis]
) -> tuple["Trial", dict[str, Value]]:
    """Returns a new trial and its settings, which it keeps."""
    trial = study.ask()
    values = {name: ask(trial, name, axis) for name, axis in axes.items()}
    trial.set_user_attr(VALUES, values)
    return trial, values


def ask(trial: "Trial", name: str, axis: Axis) -> Value:
    """Returns what a trial proposes for a setting."""
    match axis:
        case Choice(values):
            return trial.suggest_categorical(name, values)
        case Range(low, high, log, True):
            return trial.suggest_int(name, int(low), int(high), log=log)
        case Range(low, high, log, False):
            found = trial.suggest_float(name, low, high, log=log)
            return float(f"{found:.{DIGITS}g}")
    raise TypeError(axis)


def _under_way(study: "Study") -> dict[int, dict[str, Value]]:
    """Returns number and settings of the trials of a search that was cut off."""
    from optuna.trial import TrialState

    found = {}
    for lost in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if VALUES in lost.user_attrs:
            found[lost.number] = lost.user_attrs[VALUES]
        else:  # it had no run yet
            study.tell(lost.number, state=TrialState.FAIL)
    return found


def ended(study: "Study") -> int:
    """Returns how many trials have come to an end."""
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def best(study: "Study") -> tuple[float, dict[str, Value]] | None:
    """Returns the lowest loss and the settings that gave it; None before any."""
    finished = [t for t in study.get_trials(deepcopy=False) if t.value is not None]
    found = min(finished, key=lambda trial: trial.value, default=None)
    return None if found is None else (found.value, found.user_attrs[VALUES])


def _report(trial: "Trial", job: Job, reported: dict[str, int]) -> None:
    """Reports the validations of a run that are new."""
    for step, loss in sorted(_losses(job.folder).items()):
        if step > reported.get(job.key, -1):
            reported[job.key] = step
            trial.report(loss, step)


def _losses(folder: Path) -> dict[int, float]:
    """Returns the validation losses of a run by step."""
    with contextlib.suppress(InputError):  # it has none yet, or a line is on its way
        rows = read_metrics(folder / METRICS)
        return {
            int(row["step"]): row["valid_loss"] for row in rows if "valid_loss" in row
        }
    return {}


def about(experiment: str, config: Mapping[str, object], ranges: str) -> str:
    """Returns what tells a search from others."""
    return json.dumps([experiment, dict(config), ranges], sort_keys=True)
