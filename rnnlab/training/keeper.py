"""All that is kept of one run: figures, validations, checkpoints, events.

Whoever trains, alone or side by side with others, tells its keeper what came of each
step, and asks it whether to save or to end.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from rnnlab.errors import Diverged
from rnnlab.training import numerics, quiet, team
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.events import Events
from rnnlab.training.history import History
from rnnlab.training.leaves import digest
from rnnlab.training.mesh import ONE, Layout
from rnnlab.training.progress import Progress
from rnnlab.training.quiet import Quiet
from rnnlab.training.resume import Begun, resume
from rnnlab.training.settings import Training
from rnnlab.training.step import Metrics, State, validated
from rnnlab.training.task import Task
from rnnlab.training.writers import MetricsWriter

Describe = Callable[[float], Mapping[str, float]]


@dataclasses.dataclass
class Keeper:
    """What is kept of a run.

    Attributes:
        settings: of the run.
        record: JSON data kept in each checkpoint beside the state.
        describe: turns a loss in nats into the figures people quote.
        targets: targets in a batch, for the rate that is shown.
        history: on the host.
        newest: checkpoints.
        best: checkpoints.
        writer: of figures.
        progress: what a person sees.
        log: of events.
        best_of: by step of the newest checkpoints, the step that each names as best.
    """

    settings: Training
    record: Mapping[str, Any]
    describe: Describe
    targets: float
    history: History
    newest: Checkpoints
    best: Checkpoints
    writer: MetricsWriter | Quiet
    progress: Progress | Quiet
    log: Events | Quiet
    best_of: dict[int, int]
    began: float = dataclasses.field(default_factory=time.perf_counter)
    saved: float = dataclasses.field(default_factory=time.perf_counter)
    last_step: float | None = None  # when the step before this one was accounted for

    def time_steps(self) -> None:
        """Starts their clock again, after what is none of them."""
        self.last_step = time.perf_counter()

    def account(self, done: int, metrics: Metrics) -> None:
        """Waits for a step and counts it; every so often, writes a row."""
        metrics = jax.device_get(metrics)
        now = time.perf_counter()
        if self.last_step is not None:
            self.history.train_seconds += now - self.last_step
            self.history.train_steps += 1
        self.last_step = now
        if metrics.skipped:
            self.log.write(
                "skipped",
                step=done,
                loss=str(metrics.loss),
                grad_norm=str(metrics.grad_norm),
            )
        if metrics.skipped > self.settings.skip_nonfinite:
            message = (
                f"Step {done} gave a loss of {metrics.loss:g} and a gradient norm of"
                f" {metrics.grad_norm:g}, number {metrics.skipped} in a row that, with"
                f" parameters and carries, is not finite; lower --learning_rate or"
                f" --clip_norm in a new --workdir, or go on with --resume and a higher"
                f" --skip_nonfinite."
            )
            self.log.write("diverged", step=done, message=message)
            raise Diverged(message)
        if not metrics.skipped:
            self.history.add(metrics, self.settings.clip_norm)
        if done % self.settings.log_every == 0:
            self.writer.write(done, self.history.row(metrics))
        loss = float(metrics.loss)
        figures = {"loss": loss, **self.describe(loss)}
        self.progress.update(done, self.targets, figures)

    def probed(self, done: int, figures: Mapping[str, Any]) -> None:
        """Writes what a probe found, and how often the gradient was clipped since.

        Where that is not known it is left out: of several batches that make one update
        the norm of the mean is clipped, and penalties and --clip_value come before it.
        """
        row = dict(jax.device_get(figures))
        share, settings = self.history.clip_fraction(), self.settings
        other = settings.l1 or settings.l2 or settings.clip_value is not None
        if settings.clip_norm is not None and settings.accumulate == 1 and not other:
            row["clip_fraction"] = share
        self.writer.write(done, row)

    def validated(self, done: int, state: State, loss: float) -> State:
        """Acts on a validation; returns the state, whose rate may be lower."""
        self.writer.write(done, {"valid_loss": loss})
        better = self.history.validated(done, loss)
        figures = "  ".join(f"{k} {v:.4g}" for k, v in self.describe(loss).items())
        mark = "  (best so far)" if better else ""
        self.progress.message(f"step {done}  valid loss {loss:.4f}  {figures}{mark}")
        state = validated(self.settings, state, loss)
        if better:
            # A crash leads back to one of the newest: what it names as best stays.
            # So does what the last of them names, which may still be on its way.
            steps = {*self.newest.steps, max(self.best_of, default=0)}
            spare = {self.best_of.get(step, 0) for step in steps}
            self.best.save(done, state, self._metadata(), spare)
        return state

    def save(self, done: int, state: State) -> None:
        """Saves a step among the newest."""
        self.best.wait()  # what the newest names as best must be there
        self.saved = time.perf_counter()
        self.best_of[done] = self.history.best_step
        self.newest.save(done, state, self._metadata())

    def check(self) -> None:
        """Raises StorageError where a save that is on its way has failed."""
        self.newest.check()
        self.best.check()

    def preempted(self, done: int, signal: str | None) -> None:
        """Notes the end by a signal, step `done` being saved or about to be."""
        self.newest.wait()
        self.log.write("preempted", step=done, signal=signal)

    def finished(self, state: State) -> None:
        """Notes the end, once all is saved."""
        self.best.wait()
        self.newest.wait()
        found = digest((state, self.history.exact()))
        self.log.write("finished", step=int(state.step), hash=found)

    def _metadata(self) -> dict[str, Any]:
        """Returns what is kept beside a state, its clock brought up to date."""
        now = time.perf_counter()
        self.history.seconds += now - self.began
        self.began = now
        return {**self.record, "history": dataclasses.asdict(self.history)}

    def late(self) -> bool:
        """Returns whether the last save is as long ago as may be lost."""
        minutes = self.settings.checkpoint_minutes
        return time.perf_counter() - self.saved > 60 * minutes

    def out_of_time(self) -> bool:
        """Returns whether the steps have taken as long as they may."""
        minutes = self.settings.max_minutes
        return minutes is not None and self.history.train_seconds >= 60 * minutes

    def out_of_patience(self) -> bool:
        """Returns whether validations have been without gain for too long."""
        patience = self.settings.patience
        return patience is not None and self.history.since_best >= patience


class Opened(NamedTuple):
    """A run that is about to go on.

    Attributes:
        keeper: of the run.
        state: to begin with.
        owed: whether that is still to be validated: a signal came before.
    """

    keeper: Keeper
    state: State
    owed: bool


@contextlib.contextmanager
def opened(
    task: Task,
    settings: Training,
    workdir: Path,
    record: Mapping[str, Any],
    describe: Describe,
    targets: float,
    total: int,
    begun: Callable[[], None],
    show: Callable[[int], Progress | Quiet],
    layout: Layout = ONE,
) -> Iterator[Opened]:
    """Opens a run's files, and restores its newest whole checkpoint or begins anew.

    Args:
        task: what is learned.
        settings: how.
        workdir: of the run.
        record: JSON data kept in each checkpoint beside the state.
        describe: turns a loss in nats into the figures people quote.
        targets: targets in a batch.
        total: steps of the run.
        begun: called once there is a state.
        show: makes the display, from the step that the run begins at.
        layout: where arrays lie.

    Raises:
        InputError: what lies beside the checkpoints is not what a run left there.
        IncompatibleCheckpoint: the checkpoint is of another model.
        NoUsableCheckpoint: the run has saved, and nothing whole is left.
        StorageError: something could not be written.
    """
    log = quiet.events(workdir)

    def saved(step: int) -> None:
        log.write("saved", step=step)

    with (
        Checkpoints(workdir / "checkpoints", settings.keep, saved) as newest,
        Checkpoints(workdir / "best", keep=1) as best,
    ):
        begin = resume(task, settings, newest, best, log, workdir, layout)
        team.lead(begun)
        owed = _owed(begin, settings.eval_every or task.steps_per_epoch, total)
        again = "valid_loss" if owed else None
        with (
            quiet.rows(workdir, begin.step, again) as writer,
            show(begin.step or 0) as progress,
        ):
            keeper = Keeper(
                settings,
                {**record, "numerics": numerics.fingerprint(layout.rule)},
                describe,
                targets,
                begin.history,
                newest,
                best,
                writer,
                progress,
                log,
                begin.best_of,
            )
            yield Opened(keeper, begin.state, owed)


def _owed(begin: Begun, validate_every: int, total: int) -> bool:
    """Returns whether a signal came before the validation of the restored step."""
    if begin.step is None or begin.step % validate_every:
        return False
    return begin.history.validated_at < begin.step < total
