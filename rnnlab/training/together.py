"""Runs of one shape, trained side by side as one program, each in its own workdir.

They differ in their seeds and learning rates: one compilation, one pass over the data,
and products that are large where those of a single run are small. Each run is kept as
if it were alone: it may be used, resumed and compared like any other, and what trained
it is one more thing that its bits depend on.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.errors import Diverged, InputError, Preempted
from rnnlab.training.evaluate import evaluator_of_many
from rnnlab.training.history import History
from rnnlab.training.keeper import Describe, Keeper, Opened, opened
from rnnlab.training.mesh import OneDevice
from rnnlab.training.progress import Progress
from rnnlab.training.quiet import Quiet
from rnnlab.training.settings import Training
from rnnlab.training.signals import StopSignals
from rnnlab.training.step import Metrics, State, shapes, update
from rnnlab.training.task import Params, Task

VARIED = ("seed", "learning_rate")  # in which runs may differ
REST = 0.75  # of the rows: below it those that have ended are left behind


class Member(NamedTuple):
    """One of the runs.

    Attributes:
        settings: the others', but for what `VARIED` names.
        workdir: its own.
        record: JSON data kept in each checkpoint beside the state.
    """

    settings: Training
    workdir: Path
    record: Mapping[str, Any]


class Ended(NamedTuple):
    """How a run ended.

    Attributes:
        state: the last one.
        history: with the best validation.
    """

    state: State
    history: History


def fit(
    task: Task,
    members: Sequence[Member],
    describe: Describe,
    targets: float,
    begun: Callable[[Member], None] = lambda member: None,
) -> list[Ended | Diverged]:
    """Trains each run from its newest whole checkpoint, or the start, to its end.

    Runs that stand at different steps are trained one group after the other.

    Args:
        task: what all learn, on the same batches.
        members: the runs.
        describe: turns a loss in nats into the figures people quote.
        targets: targets in a batch, for the rate that is shown.
        begun: called with each once there is a state, before the first step.

    Returns:
        How each ended, in their order; a run that diverges leaves the others alone.

    Raises:
        InputError: their settings differ in more, or ask for probes.
        Preempted: a signal came; all were saved first.
        StorageError: something could not be written; older checkpoints are good.
    """
    # Schedules are multiples of the rate, which each row has as a number of its own.
    settings = dataclasses.replace(members[0].settings, learning_rate=1.0)
    _check([member.settings for member in members])
    total = settings.steps or settings.epochs * task.steps_per_epoch
    layout = OneDevice(f"replicated, {len(members)} runs side by side")
    with StopSignals() as stop, contextlib.ExitStack() as held:
        runs = [
            held.enter_context(
                opened(
                    task,
                    member.settings,
                    member.workdir,
                    member.record,
                    describe,
                    targets,
                    total,
                    lambda member=member: begun(member),
                    lambda step: Quiet(),
                    layout,
                )
            )
            for member in members
        ]
        ends: list[Ended | Diverged | None] = [None] * len(runs)
        by_step: dict[int, list[int]] = {}
        for place, run in enumerate(runs):
            by_step.setdefault(int(run.state.step), []).append(place)
        for first, places in sorted(by_step.items(), reverse=True):
            with Progress(total, first) as progress:
                group = _Group(task, settings, total, stop, progress, ends)
                group.train(first, {place: runs[place] for place in places})
        return [end for end in ends if end is not None]


def _check(every: Sequence[Training]) -> None:
    """Raises InputError where settings cannot be one program."""
    alike = [dataclasses.replace(s, seed=0, learning_rate=1.0) for s in every]
    if any(other != alike[0] for other in alike):
        raise InputError(
            f"Runs that are trained side by side may differ in {' and '.join(VARIED)},"
            f" and these differ in more; run them one by one."
        )
    if every[0].probe_every is not None:
        raise InputError(
            "Runs that are trained side by side cannot be probed, got"
            f" --probe_every={every[0].probe_every}; leave it out, or run them one by"
            f" one."
        )
    if every[0].max_minutes is not None:
        raise InputError(
            "Runs that are trained side by side have no time of their own, got"
            f" --max_minutes={every[0].max_minutes}; leave it out, or run them one by"
            f" one."
        )


@dataclasses.dataclass
class _Group:
    """Runs that stand at one step; `ends` takes how each has ended, by its place."""

    task: Task
    settings: Training
    total: int
    stop: StopSignals
    progress: Progress
    ends: list[Ended | Diverged | None]

    def train(self, done: int, runs: dict[int, Opened]) -> None:
        """Runs steps until each has ended, or a signal comes.

        Args:
            done: the step at which they stand.
            runs: by place.
        """
        keepers = {place: run.keeper for place, run in runs.items()}
        rows = [*keepers]  # the place of each row of the stacked state
        states = _stack([run.state for run in runs.values()])
        epoch = self.task.steps_per_epoch
        validate_every = self.settings.eval_every or epoch
        save_every = self.settings.checkpoint_every or epoch
        step = _step(self.task, self.settings, self.total)
        evaluate = evaluator_of_many(self.task)
        if any(run.owed for run in runs.values()):
            owed = {p: k for p, k in keepers.items() if runs[p].owed}
            states = self._validate(done, states, rows, owed, evaluate)
        self._end(done, states, rows, keepers)
        self.progress.message(f"compiling {len(rows)} runs, then on from step {done}")
        pending: Metrics | None = None
        compiled = set()
        for batch in self.task.batches("train", done) if keepers else ():
            states, metrics = step(states, batch, self._rates(rows, runs))
            if shapes(batch) not in compiled:
                compiled.add(shapes(batch))
                for keeper in keepers.values():
                    keeper.last_step = None  # a time that has compiling in it
            if pending is not None:
                self._account(done, pending, rows, keepers)
                if not keepers:
                    return
            done += 1
            pending = metrics
            last = done >= self.total
            validate = done % validate_every == 0 or last
            late = any(keeper.late() for keeper in keepers.values())
            save = done % save_every == 0 or last or late
            for keeper in keepers.values():
                keeper.check()
            if not (validate or save or self.stop.received):
                continue
            self._account(done, pending, rows, keepers)
            pending = None
            for keeper in keepers.values():
                keeper.last_step = None
            if validate:
                states = self._validate(done, states, rows, keepers, evaluate)
            if save or self.stop.received:
                for place, keeper in keepers.items():
                    keeper.save(done, _row(states, rows.index(place)))
            self._end(done, states, rows, keepers, saved=save)
            if not keepers:
                return
            if self.stop.received:
                self._preempt(done, keepers)
            if len(keepers) <= REST * len(rows):
                rows, states = [*keepers], _take(states, [*map(rows.index, keepers)])

    def _rates(self, rows: Sequence[int], runs: Mapping[int, Opened]) -> jax.Array:
        """Returns each row's learning rate."""
        own = [runs[place].keeper.settings.learning_rate for place in rows]
        return jnp.array(own, jnp.float32)

    def _account(
        self, done: int, metrics: Metrics, rows: Sequence[int], keepers: dict
    ) -> None:
        """Lets each run count a step; one that has diverged is over."""
        fetched = jax.device_get(metrics)
        for place, keeper in [*keepers.items()]:
            own = Metrics(*(leaf[rows.index(place)] for leaf in fetched))
            try:
                keeper.account(done, own)
            except Diverged as error:
                self.ends[place] = error
                del keepers[place]
        if keepers:
            losses = [float(fetched.loss[rows.index(place)]) for place in keepers]
            figures = {"runs": len(keepers), "lowest loss": min(losses)}
            targets = next(iter(keepers.values())).targets * len(keepers)
            self.progress.update(done, targets, figures)

    def _validate(
        self,
        done: int,
        states: State,
        rows: Sequence[int],
        keepers: Mapping[int, Keeper],
        evaluate: Callable[[Params, str], list[float]],
    ) -> State:
        """Measures the validation split of all; returns the states after it."""
        if "valid" not in self.task.splits or not keepers:
            return states
        losses = evaluate(states.used, "valid")
        after = []
        for k, place in enumerate(rows):
            state = _row(states, k)
            if place in keepers:
                state = keepers[place].validated(done, state, losses[k])
            after.append((state.plateau, state.trigger))
        best = min(losses[rows.index(place)] for place in keepers)
        self.progress.message(f"step {done}  lowest valid loss {best:.4f}")
        plateau, trigger = _stack(after)
        return states._replace(plateau=plateau, trigger=trigger)

    def _end(
        self,
        done: int,
        states: State,
        rows: Sequence[int],
        keepers: dict[int, Keeper],
        saved: bool = True,
    ) -> None:
        """Ends the runs that are at their last step, or out of patience."""
        for place, keeper in [*keepers.items()]:
            if done >= self.total or keeper.out_of_patience():
                state = _row(states, rows.index(place))
                if not saved:
                    keeper.save(done, state)
                keeper.finished(state)
                self.ends[place] = Ended(state, keeper.history)
                del keepers[place]

    def _preempt(self, done: int, keepers: Mapping[int, Keeper]) -> None:
        """Ends all at a signal, step `done` being saved."""
        for keeper in keepers.values():
            keeper.preempted(done, self.stop.received)
        raise Preempted(
            f"Stopped by {self.stop.received} after step {done}, at which"
            f" {len(keepers)} runs are saved; the same command goes on from there."
        )


def _step(
    task: Task, settings: Training, steps: int
) -> Callable[[State, Any, jax.Array], tuple[State, Metrics]]:
    """Returns the compiled update of all rows, on the same batch."""
    one = update(task, settings, steps)
    return jax.jit(jax.vmap(one, in_axes=(0, None, 0)), donate_argnums=0)


def _stack(states: Sequence[Any]) -> Any:
    """Returns states as one, with an axis of rows before all others."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def _row(states: Any, place: int) -> Any:
    """Returns one state of a stack."""
    return jax.tree.map(lambda leaf: leaf[place], states)


def _take(states: Any, places: Sequence[int]) -> Any:
    """Returns the stack of some states."""
    index = jnp.array(places)
    return jax.tree.map(lambda leaf: leaf[index], states)
