"""A resumed run is the run without a stop, bit for bit; and the tests would notice."""

import dataclasses
import functools
import random
import signal

import jax
import numpy as np
import pytest
from small import Small

from experiments.language_modeling.task import LanguageTask
from rnnlab.cells import CELLS
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.engines import auto
from rnnlab.errors import Diverged, NoUsableCheckpoint, Preempted
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.training import events, loop, step
from rnnlab.training.history import History
from rnnlab.training.leaves import digest
from rnnlab.training.settings import Training
from rnnlab.training.stored import Stored

SETTINGS = Training(
    steps=24, learning_rate=0.05, checkpoint_every=5, eval_every=3, log_every=4,
    schedule="plateau", plateau_patience=1, patience=4, skip_nonfinite=1, momentum=0.9,
    optimizer="sgd",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Stopped:
    """A task that is asked to stop just before a batch is handed out."""

    task: object
    at: int

    def __getattr__(self, name):
        return getattr(self.task, name)

    def batches(self, split, start=0):
        for number, batch in enumerate(self.task.batches(split, start), start):
            if split == "train" and number == self.at:
                signal.raise_signal(signal.SIGTERM)
            yield batch


class Kill(BaseException):
    """Ends a run without a chance to save."""


@dataclasses.dataclass(frozen=True)
class Killed(Stopped):
    """A task that ends its run there and then, instead of at the step's end."""

    def batches(self, split, start=0):
        for number, batch in enumerate(self.task.batches(split, start), start):
            if split == "train" and number == self.at:
                raise Kill
            yield batch


@dataclasses.dataclass(frozen=True)
class Interrupted(Stopped):
    """A task that is asked to stop in each validation from step `at` on."""

    def batches(self, split, start=0):
        for number, batch in enumerate(self.task.batches(split, start), start):
            if split == "valid" and self.seen[0] >= self.at:
                signal.raise_signal(signal.SIGTERM)
            if split == "train":
                self.seen[0] = number + 1
            yield batch

    @functools.cached_property
    def seen(self):
        return [0]


def outcome(task, folder, settings=SETTINGS):
    """Returns the hash of a run's end, or the error, and what it wrote of itself."""
    folder.mkdir(exist_ok=True)
    try:
        state, history = loop.fit(task, settings, folder, {}, lambda loss: {}, 4)
        end = digest((state, history.exact()))
    except Diverged as error:
        end = str(error)
    return end, (folder / "metrics.jsonl").read_text()


def resumed(task, folder, at, settings=SETTINGS):
    """Returns the outcome of a run that was stopped before batch `at`."""
    folder.mkdir()
    with pytest.raises(Preempted):
        outcome(Stopped(task, at), folder, settings)
    return outcome(task, folder, settings)


def test_at_every_step(tmp_path, many, counted):
    calm = outcome(Small(), tmp_path / "calm")
    stops = range(23) if many(False, True) else random.Random(0).sample(range(17), 8)
    for at in stops:
        try:
            assert resumed(Small(), tmp_path / str(at), at) == calm, at
        except pytest.fail.Exception:
            assert at > 14, at  # patience had ended it before
    counted("resumes at each step", len(stops))


@pytest.mark.parametrize("at", [3, 6, 9])
def test_a_validation_that_is_stopped_or_lost_is_made_up_for(tmp_path, at):
    """However often: the step stays the one that is to be validated."""
    calm = outcome(Small(), tmp_path / "calm")
    folder = tmp_path / "stopped"
    for _ in range(3):
        task = Interrupted(Small(), at)
        task.seen[0] = at if (folder / "checkpoints").exists() else 0
        with pytest.raises(Preempted, match=f"after step {at},"):
            outcome(task, folder)
    for _ in range(2):  # the validation is made, its best saved, and then a kill
        with pytest.raises(Kill):
            outcome(Killed(Small(), at), folder)
    assert outcome(Small(), folder) == calm
    assert "best_lost" not in {event["event"] for event in events.read(folder)}


# What is left out of a checkpoint -> faults that show it, and where it is stopped.
TWICE_BAD = ((12, "loss", np.nan), (13, "loss", np.nan))
WITHOUT = {
    "params": ((), 10),
    "optimizer": ((), 10),
    "memory": ((), 10),
    "key": ((), 10),
    "step": ((), 10),
    "skipped": (TWICE_BAD, 12),
    "plateau": ((), 13),
}
HISTORY = {
    "best_loss": ((), 10),
    "since_best": ((), 13),
    "loss_sum": ((), 10),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_a_checkpoint_without_part_of_the_state_is_noticed(tmp_path, name, monkeypatch):
    faults, at = WITHOUT[name]
    task = Small(faults)
    calm = outcome(task, tmp_path / "calm")
    assert resumed(task, tmp_path / "whole", at) == calm
    restore = Stored.restore

    def forgetful(stored, like):
        first = step.init(task, dataclasses.replace(SETTINGS, seed=9))
        return restore(stored, like)._replace(**{name: getattr(first, name)})

    monkeypatch.setattr(Stored, "restore", forgetful)
    if name == "step":
        with pytest.raises(NoUsableCheckpoint, match="it holds the state of step 0"):
            resumed(task, tmp_path / "part", at)
    else:
        assert resumed(task, tmp_path / "part", at) != calm


@pytest.mark.parametrize("name", HISTORY)
def test_a_checkpoint_without_part_of_the_history_is_noticed(
    tmp_path, name, monkeypatch
):
    faults, at = HISTORY[name]
    calm = outcome(Small(faults), tmp_path / "calm")
    assert resumed(Small(faults), tmp_path / "whole", at) == calm
    read = History.from_json

    def forgetful(data):
        return dataclasses.replace(read(data), **{name: getattr(History(), name)})

    monkeypatch.setattr(History, "from_json", forgetful)
    assert resumed(Small(faults), tmp_path / "part", at) != calm


@functools.cache
def language(cell, rows=2, length=5):
    ids = np.random.default_rng(0).integers(0, 11, 200).astype(np.uint8)
    model = LanguageModel(4, Stack((cell,), auto(cell), 0.3), Softmax(11))
    streams = {
        "train": TrainStream(ids[:150], rows, length, 11),
        "valid": EvalStream(ids[150:], rows, length, 11),
    }
    return LanguageTask(model, streams, {"train": rows, "valid": rows})


SOME = ("tape_rnn", "hm_lstm", "mlstm")  # whose carries are the oddest


def test_every_cell(tmp_path, many, counted):
    """With dropout and carried states."""
    names = [*many(SOME, CELLS)]
    settings = Training(steps=5, checkpoint_every=2, eval_every=4, log_every=2)
    for name in names:
        task = language(CELLS[name](4))
        calm = outcome(task, tmp_path / f"{name}-calm", settings)
        assert resumed(task, tmp_path / name, 2, settings) == calm, name
        jax.clear_caches()
    counted("cells resumed", len(names))


def test_batches_are_those_of_an_undisturbed_run_from_any_position():
    """Over three epochs and their ends."""
    task = language(CELLS["lstm"](4))
    epoch = task.steps_per_epoch
    stream = task.batches("train")
    all_of_them = [next(stream) for _ in range(3 * epoch)]
    for start in range(3 * epoch):
        batch = next(task.batches("train", start))
        for mine, wanted in zip(batch, all_of_them[start], strict=True):
            assert np.array_equal(mine, wanted)
