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
from typing import Any

import jax

from rnnlab.errors import Diverged, Preempted
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.evaluate import evaluator
from rnnlab.training.history import History
from rnnlab.training.probing import keep, prober
from rnnlab.training.progress import Progress
from rnnlab.training.settings import Training
from rnnlab.training.signals import StopSignals
from rnnlab.training.step import Metrics, State, init, lower_on_plateau, train_step
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
) -> tuple[State, History]:
    """Trains from the newest checkpoint in `workdir`, or from the start, to the end.

    Args:
        task: what is learned.
        settings: how.
        workdir: gets `metrics.jsonl`, `tensorboard/`, `checkpoints/` and `best/`.
        record: JSON data kept in each checkpoint beside the state.
        describe: turns a loss in nats into the figures people quote.
        targets: targets in a batch, for the rate that is shown.

    Returns:
        The last state, and the history with the best validation in it.

    Raises:
        Preempted: a signal came; the state was saved first.
        Diverged: more updates in a row were not finite than `skip_nonfinite` allows.
        StorageError: something could not be written; older checkpoints are good.
    """
    total = settings.steps or settings.epochs * task.steps_per_epoch
    with (
        StopSignals() as stop,
        Checkpoints(workdir / "checkpoints", settings.keep) as newest,
        Checkpoints(workdir / "best", keep=1) as best,
    ):
        resumed = newest.latest
        if resumed is None:
            state, history = init(task, settings), History()
        else:
            state = newest.restore(jax.eval_shape(lambda: init(task, settings)))
            history = History(**newest.metadata()["history"])
        with (
            MetricsWriter(workdir, resumed, tensorboard=True) as writer,
            Progress(total, resumed or 0) as progress,
        ):
            run = _Run(
                task,
                settings,
                total,
                record,
                describe,
                targets,
                history,
                newest,
                best,
                writer,
                progress,
            )
            return run.train(state, stop), history


@dataclasses.dataclass
class _Run:
    """What the loop needs at every turn; only `history` and the clocks change."""

    task: Task
    settings: Training
    total: int
    record: Mapping[str, Any]
    describe: Describe
    targets: int
    history: History
    newest: Checkpoints
    best: Checkpoints
    writer: MetricsWriter
    progress: Progress
    began: float = dataclasses.field(default_factory=time.perf_counter)
    last_step: float | None = None  # when the step before this one was accounted for

    def train(self, state: State, stop: StopSignals) -> State:
        """Runs steps until the last, the end of patience, or a signal."""
        done = int(state.step)
        if done >= self.total or self._out_of_patience():
            return state
        epoch = self.task.steps_per_epoch
        validate_every = self.settings.eval_every or epoch
        save_every = self.settings.checkpoint_every or epoch
        probe_every = self.settings.probe_every or 0
        probe = prober(self.task) if probe_every else None
        step = train_step(self.task, self.settings, self.total)
        evaluate = evaluator(self.task)
        pending: Metrics | None = None
        for batch in self.task.batches("train", done):
            due = probe is not None and (done + 1) % probe_every == 0
            before = keep(state) if due else None  # the step takes its buffers
            state, metrics = step(state, batch)
            if pending is not None:
                self._account(done, pending)
            done += 1
            pending = metrics
            last = done >= self.total
            validate = done % validate_every == 0 or last
            save = done % save_every == 0 or last or stop.received is not None
            if not (before or validate or save):
                continue
            self._account(done, pending)
            pending = self.last_step = None
            if probe is not None and before is not None:
                self._probed(done, probe(before, state.params, batch))
            if validate:
                state = self._validate(done, state, evaluate)
            over = last or self._out_of_patience()
            stopped = stop.received  # perhaps during the validation
            if save or over or stopped:
                self.best.wait()  # what the newest names as best must be there
                self._save(self.newest, done, state)
            if over:
                break
            if stopped:
                self.newest.wait()
                raise Preempted(
                    f"Stopped by {stopped} after step {done}, which is saved;"
                    f" the same command with --resume goes on from there."
                )
        return state

    def _account(self, done: int, metrics: Metrics) -> None:
        """Waits for a step and counts it; every so often, writes a row."""
        metrics = jax.device_get(metrics)
        now = time.perf_counter()
        if self.last_step is not None:
            self.history.train_seconds += now - self.last_step
            self.history.train_steps += 1
        self.last_step = now
        if metrics.skipped > self.settings.skip_nonfinite:
            raise Diverged(
                f"Step {done} gave a loss of {metrics.loss:g} and a gradient norm of"
                f" {metrics.grad_norm:g}, number {metrics.skipped} in a row that is not"
                f" finite; lower --learning_rate or --clip_norm in a new --workdir, or"
                f" go on with --resume and a higher --skip_nonfinite."
            )
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

    def _validate(
        self, done: int, state: State, evaluate: Callable[[Any, str], float]
    ) -> State:
        """Measures the validation split, if there is one, and acts on it."""
        if "valid" not in self.task.splits:
            return state
        loss = evaluate(state.params, "valid")
        self.writer.write(done, {"valid_loss": loss})
        better = self.history.validated(done, loss)
        figures = "  ".join(f"{k} {v:.4g}" for k, v in self.describe(loss).items())
        mark = "  (best so far)" if better else ""
        self.progress.message(f"step {done}  valid loss {loss:.4f}  {figures}{mark}")
        state = lower_on_plateau(self.settings, state, loss)
        if better:
            self._save(self.best, done, state)
        return state

    def _save(self, checkpoints: Checkpoints, done: int, state: State) -> None:
        now = time.perf_counter()
        self.history.seconds += now - self.began
        self.began = now
        metadata = {**self.record, "history": dataclasses.asdict(self.history)}
        checkpoints.save(done, state, metadata)

    def _out_of_patience(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self.history.since_best >= patience
