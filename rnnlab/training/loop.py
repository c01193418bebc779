"""The training loop: one for every task.

A step is dispatched before the figures of the one before it are fetched, so the
device never waits for the host; at a probe, a validation, a checkpoint and a signal
the loop first draws level. All that a resume needs is in two places: `State` on the
device and `History` on the host.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import jax

from rnnlab.errors import Diverged, Preempted
from rnnlab.training import numerics, quiet, team
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.evaluate import Evaluate, evaluator
from rnnlab.training.events import Events
from rnnlab.training.history import History
from rnnlab.training.leaves import digest
from rnnlab.training.mesh import ONE, Layout
from rnnlab.training.probing import keep, prober
from rnnlab.training.progress import Progress
from rnnlab.training.quiet import Quiet
from rnnlab.training.requests import Requests
from rnnlab.training.resume import resume
from rnnlab.training.settings import Training
from rnnlab.training.signals import StopSignals
from rnnlab.training.step import Metrics, State, lower_on_plateau, train_step
from rnnlab.training.task import Task
from rnnlab.training.writers import MetricsWriter

Describe = Callable[[float], Mapping[str, float]]


def fit(
    task: Task,
    settings: Training,
    workdir: Path,
    record: Mapping[str, Any],
    describe: Describe,
    targets: int,
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
        targets: targets in a batch, for the rate that is shown.
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
    log = quiet.events(workdir)

    def saved(step: int) -> None:
        log.write("saved", step=step)

    with (
        StopSignals() as stop,
        Checkpoints(workdir / "checkpoints", settings.keep, saved) as newest,
        Checkpoints(workdir / "best", keep=1) as best,
    ):
        begin = resume(task, settings, newest, best, log, workdir, layout)
        history, resumed = begin.history, begin.step
        team.lead(begun)
        validate_every = settings.eval_every or task.steps_per_epoch
        # A signal came before the validation of the step that was restored.
        owed = (
            resumed is not None
            and resumed % validate_every == 0
            and history.validated_at < resumed < total
        )
        again = "valid_loss" if owed else None
        with (
            quiet.rows(workdir, resumed, again) as writer,
            quiet.progress(total, resumed or 0) as progress,
        ):
            run = _Run(
                task,
                settings,
                total,
                layout,
                {**record, "numerics": numerics.fingerprint(layout.rule)},
                describe,
                targets,
                history,
                newest,
                best,
                writer,
                progress,
                log,
                Requests(stop),
                begin.best_of,
            )
            state = run.train(begin.state, owed)
        best.wait()
        newest.wait()
        found = digest((state, history.exact()))
        log.write("finished", step=int(state.step), hash=found)
        return state, history


@dataclasses.dataclass
class _Run:
    """What the loop needs at every turn.

    Attributes:
        best_of: by step of the newest checkpoints, the step that each names as best.
    """

    task: Task
    settings: Training
    total: int
    layout: Layout
    record: Mapping[str, Any]
    describe: Describe
    targets: int
    history: History
    newest: Checkpoints
    best: Checkpoints
    writer: MetricsWriter | Quiet
    progress: Progress | Quiet
    log: Events | Quiet
    requests: Requests
    best_of: dict[int, int]
    began: float = dataclasses.field(default_factory=time.perf_counter)
    saved: float = dataclasses.field(default_factory=time.perf_counter)
    last_step: float | None = None  # when the step before this one was accounted for

    def train(self, state: State, owed: bool) -> State:
        """Runs steps until the last, the end of patience, or a signal.

        Args:
            state: to begin with; its buffers are taken over.
            owed: whether it is still to be validated.
        """
        done = int(state.step)
        if done >= self.total or self._out_of_patience():
            return state
        epoch = self.task.steps_per_epoch
        validate_every = self.settings.eval_every or epoch
        save_every = self.settings.checkpoint_every or epoch
        probe_every = self.settings.probe_every or 0
        probe = prober(self.task) if probe_every else None
        step = train_step(self.task, self.settings, self.total, self.layout)
        evaluate = evaluator(self.task, self.layout)
        if owed:
            state = self._validate(done, state, evaluate)
            if self.requests.received and self.history.validated_at < done:
                self._stop(done)  # it is still owed
            if self._out_of_patience():
                return state
        self.progress.message(f"compiling, then on from step {done}")
        pending: Metrics | None = None
        for rows in self.task.batches("train", done):
            batch = self.layout.batch(self.task, rows)
            due = probe is not None and (done + 1) % probe_every == 0
            before = keep(state) if due else None  # the step takes its buffers
            state, metrics = step(state, batch)
            if pending is not None:
                self._account(done, pending)
            done += 1
            pending = metrics
            last = done >= self.total
            validate = done % validate_every == 0 or last
            late = self.requests.late(self._late())
            save = done % save_every == 0 or last or late
            self.newest.check()
            self.best.check()
            if not (before or validate or save or self.requests.received):
                continue
            self._account(done, pending)
            pending = self.last_step = None
            if probe is not None and before is not None:
                self._probed(done, probe(before, state.params, batch))
            if validate:
                state = self._validate(done, state, evaluate)
            over = last or self._out_of_patience()
            if save or over or self.requests.received:
                self.best.wait()  # what the newest names as best must be there
                self._save_newest(done, state)
            if over:
                break
            if self.requests.received:
                self._stop(done)
        return state

    def _stop(self, done: int) -> NoReturn:
        """Ends the run at a signal, step `done` being saved or about to be."""
        self.newest.wait()
        signal = self.requests.received
        self.log.write("preempted", step=done, signal=signal)
        raise Preempted(
            f"Stopped by {signal} after step {done}, which is saved; the"
            f" same command with --resume goes on from there."
        )

    def _account(self, done: int, metrics: Metrics) -> None:
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

    def _probed(self, done: int, figures: Mapping[str, Any]) -> None:
        """Writes what a probe found, and how often the gradient was clipped since."""
        row = dict(jax.device_get(figures))
        share = self.history.clip_fraction()
        if self.settings.clip_norm is not None:
            row["clip_fraction"] = share
        self.writer.write(done, row)

    def _validate(self, done: int, state: State, evaluate: Evaluate) -> State:
        """Measures the validation split, if there is one, and acts on it.

        A signal ends it, unless it is the last: a resume makes up for it.
        """
        if "valid" not in self.task.splits:
            return state
        loss = evaluate(
            state.params,
            "valid",
            lambda: self.requests.stopping() and done < self.total,
        )
        if loss is None:
            return state
        self.writer.write(done, {"valid_loss": loss})
        better = self.history.validated(done, loss)
        figures = "  ".join(f"{k} {v:.4g}" for k, v in self.describe(loss).items())
        mark = "  (best so far)" if better else ""
        self.progress.message(f"step {done}  valid loss {loss:.4f}  {figures}{mark}")
        state = lower_on_plateau(self.settings, state, loss)
        if better:
            # A crash leads back to one of the newest: what it names as best stays.
            # So does what the last of them names, which may still be on its way.
            steps = {*self.newest.steps, max(self.best_of, default=0)}
            spare = {self.best_of.get(step, 0) for step in steps}
            self.best.save(done, state, self._metadata(), spare)
        return state

    def _save_newest(self, done: int, state: State) -> None:
        self.saved = time.perf_counter()
        self.best_of[done] = self.history.best_step
        self.newest.save(done, state, self._metadata())

    def _metadata(self) -> dict[str, Any]:
        """Returns what is kept beside a state, its clock brought up to date."""
        now = time.perf_counter()
        self.history.seconds += now - self.began
        self.began = now
        return {**self.record, "history": dataclasses.asdict(self.history)}

    def _late(self) -> bool:
        """Returns whether the last save is as long ago as may be lost."""
        minutes = self.settings.checkpoint_minutes
        return time.perf_counter() - self.saved > 60 * minutes

    def _out_of_patience(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self.history.since_best >= patience
