"""What a run remembers on the host: the best validation, the window being logged."""

import dataclasses
import math
import sys
from typing import Any, Self

from rnnlab.errors import InputError
from rnnlab.training.step import Metrics

CLOCKS = {"train_seconds", "train_steps", "seconds"}


@dataclasses.dataclass
class History:
    """Plain numbers that are saved with each checkpoint, so that a resume goes on.

    Attributes:
        best_loss: the lowest validation loss so far, in nats a target.
        best_step: the step it was measured at.
        since_best: validations since then.
        validated_at: the step of the last validation.
        loss_sum: of the updates since the last row of metrics, as `norm_sum`.
        norm_sum: of the gradient norms.
        count: of these updates.
        clipped: of the updates since the last probe, those whose gradient was clipped.
        unprobed: all of these updates.
        train_seconds: spent in steps, without compiling, probing, validating, saving.
        train_steps: done in these seconds.
        seconds: of all of these together, with compiling.
    """

    best_loss: float | None = None
    best_step: int = 0
    since_best: int = 0
    validated_at: int = 0
    loss_sum: float = 0.0
    norm_sum: float = 0.0
    count: int = 0
    clipped: int = 0
    unprobed: int = 0
    train_seconds: float = 0.0
    train_steps: int = 0
    seconds: float = 0.0

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Returns the history that `dataclasses.asdict` turned into `data`.

        Raises:
            InputError: it did not.
        """
        known = {field.name: field.default for field in dataclasses.fields(cls)}
        match data:
            case {**values} if values.keys() <= known.keys() and all(
                _fits(known[name], value) for name, value in values.items()
            ):
                return cls(**values)
        raise InputError(
            f"A checkpoint's history must be numbers by name, got {data!r:.80};"
            f" use the version of this code that saved it."
        )

    def exact(self) -> dict[str, Any]:
        """Returns all but the clocks: the same in any run of equal configuration."""
        values = dataclasses.asdict(self)
        return {name: values[name] for name in values.keys() - CLOCKS}

    def add(self, metrics: Metrics, clip_norm: float | None) -> None:
        """Counts one update towards the next row, and the next probe."""
        self.loss_sum += float(metrics.loss)
        self.norm_sum += float(metrics.grad_norm)
        self.count += 1
        self.clipped += clip_norm is not None and bool(metrics.grad_norm > clip_norm)
        self.unprobed += 1

    def row(self, metrics: Metrics) -> dict[str, float]:
        """Returns the means since the last row and starts the next one."""
        count = self.count or math.nan  # all updates of the window were skipped
        row = {
            "loss": self.loss_sum / count,
            "grad_norm": self.norm_sum / count,
            "learning_rate": float(metrics.learning_rate),
        }
        self.loss_sum = self.norm_sum = 0.0
        self.count = 0
        return row

    def clip_fraction(self) -> float:
        """Returns the share of updates clipped since the last call, and starts anew."""
        share = self.clipped / self.unprobed if self.unprobed else math.nan
        self.clipped = self.unprobed = 0
        return share

    def validated(self, step: int, loss: float) -> bool:
        """Notes a validation and returns whether it is the best so far."""
        self.validated_at = step
        best = math.inf if self.best_loss is None else self.best_loss
        if not loss < best:  # a NaN is never the best
            self.since_best += 1
            return False
        self.best_loss, self.best_step, self.since_best = loss, step, 0
        return True


def _fits(default: Any, value: Any) -> bool:
    """Returns whether a field with this default may hold `value`."""
    if default is None:
        return value is None or _fits(0.0, value)
    return type(value) is type(default) and abs(value) <= sys.float_info.max
