"""How a run begins: from its newest whole checkpoint, or from the start.

A damaged checkpoint is moved to quarantine and the next older one is used. Where a run
has saved and nothing whole is left, it ends: it never begins anew by itself.
"""

import contextlib
import dataclasses
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from rnnlab.errors import NoUsableCheckpoint
from rnnlab.training import events, numerics, team
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.history import History
from rnnlab.training.mesh import ONE, Layout
from rnnlab.training.quiet import Quiet
from rnnlab.training.settings import Training
from rnnlab.training.start import started
from rnnlab.training.step import State, init
from rnnlab.training.stored import Stored, wrong
from rnnlab.training.task import Task


class Begun(NamedTuple):
    """Where a run stands when it begins.

    Attributes:
        state: on the device.
        history: on the host.
        step: the one that was restored, None at the start.
        best_of: by step of the newest checkpoints, the step that each names as best.
    """

    state: State
    history: History
    step: int | None
    best_of: dict[int, int]


def resume(
    task: Task,
    settings: Training,
    newest: Checkpoints,
    best: Checkpoints,
    log: events.Events | Quiet,
    workdir: Path,
    layout: Layout = ONE,
) -> Begun:
    """Returns where the run in `workdir` stands, its checkpoints put in order.

    Of several processes the first looks through the folder; all restore their parts.

    Raises:
        IncompatibleCheckpoint: the checkpoint is of another model.
        InputError: what is beside the state is not what was saved.
        NoUsableCheckpoint: the run has saved, and nothing whole is left.
        StorageError: the folder cannot be written.
    """

    def make() -> State:
        return init(task, settings)

    found = team.lead(lambda: _find(newest, best, log, workdir))
    if found is None:
        state = started(task, layout.state(task, make), log)
        return Begun(state, History(), None, {})
    step, kinds, metadata, damaged = found
    whole = Stored(newest.directory / str(step), kinds, metadata)
    history = _history(whole, validated_at=step)  # older ones do not say
    state = whole.restore(layout.like(task, jax.eval_shape(make)))
    if int(state.step) != step:
        raise wrong(whole.folder, f"it holds the state of step {state.step}")

    def settle() -> Any:
        _put_away(newest, damaged, log)
        _compare(metadata, numerics.fingerprint(layout.rule), log)
        _match_best(best, history, log)
        log.write("resumed", step=step)
        return dataclasses.asdict(history), _named_as_best(newest, step, history)

    told, best_of = team.lead(settle)
    return Begun(state, History.from_json(told), step, dict(best_of))


def _find(
    newest: Checkpoints, best: Checkpoints, log: events.Events | Quiet, workdir: Path
) -> Any:
    """Returns step, kinds and metadata of the newest whole step, and damaged ones.

    None where the run is to begin.
    """
    for checkpoints in (newest, best):
        checkpoints.tidy()
        if checkpoints.junk:
            names = textwrap.shorten(", ".join(checkpoints.junk), 200)
            log.warn(
                f"{checkpoints.directory} holds what is no checkpoint: {names}",
                "ignored",
                names=checkpoints.junk,
            )
    whole, damaged = newest.whole()
    if whole is None:
        told = {event.get("event") for event in events.read(workdir)}
        lost = bool(best.steps) and "started" not in told
        if damaged or newest.quarantined or "saved" in told or lost:
            what = "; ".join(f"{step}: {why}" for step, why in damaged.items())
            raise NoUsableCheckpoint(
                f"{newest.directory} should hold a whole checkpoint of this run, but"
                f" none is left ({textwrap.shorten(what, 200) or 'it holds none'});"
                f" restore one from elsewhere, or begin anew in another --workdir."
            )
        best.abandon(above=-1)
        log.write("started")
        return None
    return whole.step, whole.kinds, whole.metadata, [*damaged.items()]


def _compare(
    metadata: dict[str, Any], now: dict[str, str], log: events.Events | Quiet
) -> None:
    """Tells of what the bits depend on that is not as it was."""
    changed = numerics.changes(metadata.get("numerics", now), now)
    if changed:
        log.warn(
            f"the resumed run is not, bit for bit, the one without a stop"
            f" ({textwrap.shorten('; '.join(changed), 300)})",
            "numerics",
            changed=changed,
        )


def _named_as_best(
    newest: Checkpoints, resumed: int, history: History
) -> list[tuple[int, int]]:
    """Returns each of the newest steps with the one that it names as best."""
    best_of = {}
    for step in newest.steps:
        with contextlib.suppress(NoUsableCheckpoint):
            best_of[step] = _history(newest.open(step)).best_step
    return [*(best_of | {resumed: history.best_step}).items()]


def _match_best(
    best: Checkpoints, history: History, log: events.Events | Quiet
) -> None:
    """Makes `history` name a best checkpoint that is there, or none."""
    best.abandon(above=history.validated_at)  # what is validated again is saved again
    kept, damaged = best.whole()
    _put_away(best, damaged.items(), log)
    if history.best_loss is None or (kept and kept.step == history.best_step):
        return
    older = History() if kept is None else _history(kept)
    log.warn(
        f"the best checkpoint, of step {history.best_step}, is not there any more;"
        f" that of step {older.best_step} takes its place"
        if kept
        else f"the best checkpoint, of step {history.best_step}, is not there any more;"
        f" the next validation makes one",
        "best_lost",
        step=history.best_step,
    )
    history.best_loss, history.best_step = older.best_loss, older.best_step


def _put_away(
    checkpoints: Checkpoints,
    damaged: Iterable[tuple[int, str]],
    log: events.Events | Quiet,
) -> None:
    """Moves damaged steps to quarantine and says so."""
    for step, why in damaged:
        place = checkpoints.quarantine(step)
        log.warn(
            f"checkpoint {step} is damaged ({textwrap.shorten(why, 200)}) and was moved"
            f" to {place}",
            "quarantined",
            step=step,
            why=why,
        )


def _history(stored: Stored, **more: Any) -> History:
    """Returns what a step says of its run's history, beside what it may not say."""
    found = stored.metadata.get("history")
    found = found if isinstance(found, dict) else {"history": found}
    return History.from_json(more | found)
