"""A grid of runs that can be stopped at any time: a finished one is never repeated.

The runs of a group share their shapes and are trained side by side; see `replicas`.
Each that is solved, has diverged or is at its cap becomes a line of `results.jsonl`,
durable when it is written; the others go on without it. What is under way is saved
every minute and when a signal comes, and a second start goes on from there.
"""

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab import files
from rnnlab.errors import InputError, Preempted
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.progress import Progress
from rnnlab.training.replicas import (
    Learner,
    Replicas,
    advance,
    judge,
    measure,
    select,
    start,
)
from rnnlab.training.signals import StopSignals

RESULTS = "results.jsonl"
UNDER_WAY = "under_way"
SAVE_SECONDS = 60.0
ASSURANCE = 10  # times as many sequences, before a run is called solved


class Point(NamedTuple):
    """One run of a grid.

    Attributes:
        name: what tells it from all others of the grid: JSON data.
        seed: of its parameters and data.
        knobs: the numbers that it hands to its group's program.
    """

    name: Mapping[str, str | int | float]
    seed: int
    knobs: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one program.

    Attributes:
        name: for those who watch.
        learner: what the runs share.
        points: the runs.
        updates: how many a run may have; 0 for what is measured at the start alone.
        every: updates between two looks at all runs.
        solved: a run whose error is below this is done; None for runs that go on to
            the end.
    """

    name: str
    learner: Learner
    points: tuple[Point, ...]
    updates: int
    every: int
    solved: float | None = None


class Result(NamedTuple):
    """How a run ended.

    Attributes:
        name: the point's.
        updates: that it had.
        solved: whether it was.
        diverged: whether its loss became a NaN or infinite.
        curve: (updates, loss, error) at each look, the loss being the mean since the
            one before; what is not finite is None.
        measured: (updates, what its learner measures) at the start and at each look.
        seconds: its share of the time that its group took.
    """

    name: Mapping[str, Any]
    updates: int
    solved: bool
    diverged: bool
    curve: Sequence[tuple[int, float | None, float | None]]
    measured: Sequence[tuple[int, Any]]
    seconds: float


def run(groups: Sequence[Group], folder: Path) -> list[Result]:
    """Runs what of a grid is not in `folder` yet, and returns all results.

    Raises:
        InputError: two points have one name; a line of `results.jsonl` is damaged.
        Preempted: a signal came; all that was under way is saved.
        StorageError: a result or a state cannot be written.
    """
    names = [_key(point.name) for group in groups for point in group.points]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(
            f"A grid's points must have names of their own, got {twice} twice; name all"
            f" in which they differ."
        )
    known = {_key(result.name): result for result in read(folder)}
    files.cut_torn(folder / RESULTS)
    total = sum(max(group.updates, 1) * len(group.points) for group in groups)
    progress = Progress(total, 0, unit="updates")
    with StopSignals() as stop, progress:
        done = 0
        for group in groups:
            todo = [p for p in group.points if _key(p.name) not in known]
            cost = max(group.updates, 1)
            done += cost * (len(group.points) - len(todo))
            if not todo:
                continue
            for result in _train(group, todo, folder, stop, progress, done):
                files.append_json(folder / RESULTS, result._asdict())
                known[_key(result.name)] = result
                done += cost
    return [known[name] for name in names]


def read(folder: Path) -> list[Result]:
    """Returns the results in a folder, a torn last line left out.

    Raises:
        InputError: another line is no result.
    """
    path = folder / RESULTS
    try:
        lines = files.read(path).split(b"\n")[:-1] if path.exists() else []
    except OSError as error:
        raise InputError(
            f"{path} should hold results, but {error}; mend or delete that file."
        ) from error
    results = []
    for number, line in enumerate(lines, start=1):
        try:
            results.append(Result(**json.loads(line)))
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(
                f"{path}:{number} should be a result, got {line[:80]!r}; delete that"
                f" line to run its point again."
            ) from error
    return results


@dataclasses.dataclass
class _Watched:
    """A run under way, as the host sees it."""

    point: Point
    curve: list[tuple[int, float | None, float | None]]
    measured: list[tuple[int, Any]]
    seconds: float = 0.0

    def result(self, updates: int, solved: bool, diverged: bool) -> Result:
        """Returns how it ended."""
        seconds = round(self.seconds, 3)
        return Result(
            self.point.name,
            updates,
            solved,
            diverged,
            self.curve,
            self.measured,
            seconds,
        )


def _train(
    group: Group,
    todo: Sequence[Point],
    folder: Path,
    stop: StopSignals,
    progress: Progress,
    done: int,
) -> Iterator[Result]:
    """Yields the result of each point as it ends; rows of ended ones ride along.

    They are left behind once they are a quarter of all: each size is compiled anew.
    """
    learner = group.learner
    with Checkpoints(folder / UNDER_WAY, keep=1) as saved:
        updates, rows, runs = _begin(group, todo, saved)
        last_save = time.monotonic()
        while any(rows):
            began, alive = time.monotonic(), sum(map(bool, rows))
            if updates == 0:
                _note(learner, runs, rows, updates)
            losses, errors, sure = (np.full(len(rows), np.nan) for _ in range(3))
            if group.updates:
                count = min(group.every, group.updates - updates)
                runs, losses = advance(learner, count, runs)
                updates += count
                losses, errors = np.asarray(losses), np.asarray(judge(learner, 1, runs))
                sure = errors
                if group.solved is not None and (errors < group.solved).any():
                    sure = np.asarray(judge(learner, ASSURANCE, runs))
                _note(learner, runs, rows, updates)
            seconds = (time.monotonic() - began) / alive
            for place, row in enumerate(rows):
                if row is None:
                    continue
                row.seconds += seconds
                finite = bool(np.isfinite(losses[place]) and np.isfinite(errors[place]))
                if group.updates:
                    figures = _number(losses[place]), _number(errors[place])
                    row.curve.append((updates, *figures))
                solved = finite and sure[place] < (group.solved or 0)
                diverged = group.updates > 0 and not finite
                if solved or diverged or updates >= group.updates:
                    rows[place] = None
                    done += max(group.updates, 1)
                    yield row.result(updates, bool(solved), diverged)
            left = [place for place, row in enumerate(rows) if row]
            progress.update(
                done + updates * len(left),
                group.every * alive,
                {"under way": len(left)},
            )
            if left and len(left) <= 0.75 * len(rows):
                runs, rows = select(runs, left), [rows[place] for place in left]
            late = time.monotonic() - last_save > SAVE_SECONDS
            if left and (late or stop.received):
                _save(saved, group, updates, rows, runs)
                last_save = time.monotonic()
            if stop.received:
                saved.wait()
                raise Preempted(
                    f"Stopped by {stop.received} in {group.name}; what is finished and"
                    f" what is under way is saved: the same command goes on from there."
                )
    shutil.rmtree(folder / UNDER_WAY, ignore_errors=True)


def _note(
    learner: Learner, runs: Replicas, rows: Sequence[_Watched | None], updates: int
) -> None:
    """Adds to each row what its run is measured to be."""
    if learner.measure is None:
        return
    found = jax.device_get(measure(learner, runs))
    for place, row in enumerate(rows):
        if row is not None:
            own = jax.tree.map(lambda leaf, place=place: _plain(leaf[place]), found)
            row.measured.append((updates, own))


def _begin(
    group: Group, todo: Sequence[Point], saved: Checkpoints
) -> tuple[int, list[_Watched | None], Replicas]:
    """Returns updates, rows and runs as they were saved, or at their start."""
    points = {_key(point.name): point for point in todo}
    whole, damaged = saved.whole()
    for step in damaged:
        saved.quarantine(step)
    kept = whole.metadata if whole else {}
    alive = {name for name, *_ in kept.get("rows", ()) if name in points}
    if whole and kept.get("group") == group.name and alive == {*points}:
        rows = [
            _Watched(points[name], *rest) if name in points else None
            for name, *rest in kept["rows"]
        ]
        like = jax.eval_shape(lambda: _start(group, [todo[0]] * len(rows)))
        return kept["updates"], rows, whole.restore(like)
    return 0, [_Watched(point, [], []) for point in todo], _start(group, todo)


def _save(
    saved: Checkpoints,
    group: Group,
    updates: int,
    rows: Sequence[_Watched | None],
    runs: Replicas,
) -> None:
    """Saves all that `_begin` takes up again."""
    kept = [
        (_key(row.point.name), row.curve, row.measured, row.seconds)
        if row
        else ("", [], [], 0.0)
        for row in rows
    ]
    saved.save(updates, runs, {"group": group.name, "updates": updates, "rows": kept})


def _number(value: Any) -> float | None:
    """Returns a float, None for what JSON has no number for."""
    return float(value) if math.isfinite(value) else None


def _plain(array: np.ndarray) -> Any:
    """Returns nested lists of numbers, to seven digits."""
    if np.ndim(array) == 0:
        return _number(float(f"{float(array):.7g}"))
    return [_plain(part) for part in array]


def _start(group: Group, points: Sequence[Point]) -> Replicas:
    """Returns the runs of points before their first update."""
    seeds = jnp.array([point.seed for point in points], jnp.int32)
    knobs = {
        name: jnp.array([point.knobs[name] for point in points], jnp.float32)
        for name in points[0].knobs
    }
    return start(group.learner, seeds, knobs)


def _key(name: Mapping[str, Any]) -> str:
    return json.dumps(name, sort_keys=True)
