"""The training loop: one for every task.

A step is dispatched before the figures of the one before it are fetched, so the
device never waits for the host; at a probe, a validation, a checkpoint and a signal
the loop first draws level. All that a resume needs is in two places: `State` on the
device and `History` on the host.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import optax

from rnnlab.errors import Preempted
from rnnlab.training import quiet
from rnnlab.training.evaluate import Evaluate, evaluator
from rnnlab.training.history import History
from rnnlab.training.keeper import Describe, Keeper, opened
from rnnlab.training.mesh import ONE, Layout
from rnnlab.training.probing import keep, prober
from rnnlab.training.requests import Requests, Wishes
from rnnlab.training.settings import Training
from rnnlab.training.signals import StopSignals
from rnnlab.training.step import Metrics, State, shapes, train_step
from rnnlab.training.task import Task


def fit(
    task: Task,
    settings: Training,
    workdir: Path,
    record: Mapping[str, Any],
    describe: Describe,
    targets: float,
    begun: Callable[[], None] = lambda: None,
    layout: Layout = ONE,
) -> tuple[State, History]:
    """Trains from the newest whole checkpoint in `workdir`, or the start, to the end.

    Args:
        task: what is learned.
        settings: how.
        workdir: gets `metrics.jsonl`, `events.jsonl`, `tensorboard/`, `checkpoints/`
            and `best/`.
        record: JSON data kept in each checkpoint beside the state.
        describe: turns a loss in nats into the figures people quote.
        targets: targets in a batch, their mean, for the rate that is shown.
        begun: called once there is a state, before the first step.
        layout: where arrays lie. Of several processes, the first writes.

    Returns:
        The last state, and the history with the best validation in it.

    Raises:
        Preempted: a signal came; the state was saved first.
        Diverged: more updates in a row were not finite than `skip_nonfinite` allows.
        InputError: what lies beside the checkpoints is not what a run left there.
        IncompatibleCheckpoint: the checkpoint is of another model.
        NoUsableCheckpoint: the run has saved, and nothing whole is left.
        StorageError: something could not be written; older checkpoints are good.
    """
    total = settings.steps or settings.epochs * task.steps_per_epoch
    show = functools.partial(quiet.progress, total)
    with (
        StopSignals() as stop,
        opened(
            task, settings, workdir, record, describe, targets, total, begun, show,
            layout,
        ) as run,
    ):  # fmt: skip
        loop = _Loop(task, settings, total, layout, run.keeper, Requests(stop))
        state = loop.train(run.state, run.owed)
        run.keeper.finished(state)
        return state, run.keeper.history


@dataclasses.dataclass(frozen=True)
class _Loop:
    """What the loop needs at every turn."""

    task: Task
    settings: Training
    total: int
    layout: Layout
    keeper: Keeper
    requests: Requests

    def train(self, state: State, owed: bool) -> State:
        """Runs steps until the last, the end of patience, or a signal.

        Args:
            state: to begin with; its buffers are taken over.
            owed: whether it is still to be validated.
        """
        done = int(state.step)
        if done >= self.total or self._over():
            return state
        epoch = self.task.steps_per_epoch
        validate_every = self.settings.eval_every or epoch
        save_every = self.settings.checkpoint_every or epoch
        probe_every = self.settings.probe_every or 0
        probe = prober(self.task) if probe_every else None
        step = train_step(self.task, self.settings, self.total, self.layout)
        evaluate = evaluator(self.task, self.layout)
        if owed:
            state = self._validate(done, state, evaluate, last=False)
            if self.requests.received and self.keeper.history.validated_at < done:
                self._stop(done)  # it is still owed
            if self.keeper.out_of_patience():
                return state
        self.keeper.progress.message(f"compiling, then on from step {done}")
        pending: Metrics | None = None
        compiled, probe_due = set(), False
        for rows in self.task.batches("train", done):
            batch = self.layout.batch(self.task, rows)
            probe_due |= probe is not None and (done + 1) % probe_every == 0
            before = None
            if probe_due and self._moves(state):
                before, probe_due = keep(state), False  # the step takes its buffers
            state, metrics = step(state, batch)
            if shapes(rows) not in compiled:
                compiled.add(shapes(rows))
                self.keeper.last_step = None  # a time that has compiling in it
            if pending is not None:
                self.keeper.account(done, pending)
            done += 1
            pending = metrics
            wishes = Wishes(self.keeper.late(), self.keeper.out_of_time())
            late, time_over = self.requests.ask(wishes)
            last = done >= self.total or time_over
            validate = done % validate_every == 0 or last
            save = done % save_every == 0 or last or late
            self.keeper.check()
            if not (before or validate or save or self.requests.received):
                continue
            self.keeper.account(done, pending)
            pending = None
            if probe is not None and before is not None:
                self.keeper.probed(done, probe(before, state.params, batch))
            if validate:
                state = self._validate(done, state, evaluate, last)
            over = last or self.keeper.out_of_patience()
            if save or over or self.requests.received:
                self.keeper.save(done, state)
            if over:
                break
            if self.requests.received:
                self._stop(done)
            self.keeper.time_steps()
        return state

    def _moves(self, state: State) -> bool:
        """Returns whether the next batch is the last of those that make an update.

        A batch that is skipped puts that off by one.
        """
        kept = state.optimizer
        if not isinstance(kept, optax.MultiStepsState):
            return True
        return bool(kept.mini_step == self.settings.accumulate - 1)

    def _over(self) -> bool:
        """Returns whether a run ended here before its last step."""
        return self.keeper.out_of_patience() or self.keeper.out_of_time()

    def _validate(
        self, done: int, state: State, evaluate: Evaluate, last: bool
    ) -> State:
        """Measures the validation split, if there is one, and acts on it.

        A signal ends it, unless it is the last: a resume makes up for it.
        """
        if "valid" not in self.task.splits:
            return state
        loss = evaluate(
            state.used,
            "valid",
            lambda: self.requests.stopping() and not last,
        )
        return state if loss is None else self.keeper.validated(done, state, loss)

    def _stop(self, done: int) -> NoReturn:
        """Ends the run at a signal, step `done` being saved or about to be."""
        signal = self.requests.received
        self.keeper.preempted(done, signal)
        raise Preempted(
            f"Stopped by {signal} after step {done}, which is saved; the"
            f" same command with --resume goes on from there."
        )
