"""The settings of a training run that do not depend on what is learned."""

import dataclasses

from rnnlab.errors import InputError
from rnnlab.options import check, option
from rnnlab.training.averaging import Averaging
from rnnlab.training.layers import LayerRates
from rnnlab.training.optimizers import OPTIMIZERS
from rnnlab.training.schedules import SCHEDULES


def _endless(training: "Training") -> bool:
    """Returns whether the learning rate is the same however long the run is."""
    return training.schedule not in ("cosine", "slanted")


@dataclasses.dataclass(frozen=True)
class Training:
    """How long, by which optimizer, at which rate, and what is recorded when."""

    epochs: int = option(
        10, "passes over the training split", above=0, free=_endless, soft=True
    )
    steps: int | None = option(
        None, "updates, instead of epochs", above=0, free=_endless, soft=True
    )
    max_minutes: float | None = option(
        None,
        "of steps, without compiling, validating and saving, after which the run ends"
        " early: where the clock says",
        above=0,
        free=True,
        later=True,
    )
    seed: int = option(0, "of parameters and dropout", least=0, below=2**32)

    optimizer: str = option("adam", "the optax optimizer", choices=OPTIMIZERS)
    learning_rate: float = option(
        2e-3, "the (highest) learning rate", above=0, soft=True
    )
    momentum: float = option(0.0, "momentum of sgd", least=0, below=1)
    smoothing: float = option(
        0.95, "decay of rmsprop's mean square", above=0, below=1, soft=True
    )
    weight_decay: float = option(1e-4, "of adamw and lion", least=0, soft=True)
    l1: float = option(0.0, "penalty on absolute values of parameters", least=0)
    l2: float = option(0.0, "penalty on squares: l2 times p is added", least=0)
    clip_norm: float | None = option(
        5.0, "largest norm of the whole gradient", above=0, soft=True
    )
    clip_value: float | None = option(None, "largest single derivative", above=0)
    clip_layer: float | None = option(
        None, "largest norm of the gradient of one array", above=0, later=True
    )
    clip_adaptive: float | None = option(
        None, "largest ratio of gradient to parameter norm, per unit", above=0
    )

    gradient_noise: float = option(
        0.0, "deviation of noise on the gradient at first, fading", least=0, later=True
    )

    schedule: str = option(
        "constant", "of the learning rate", choices=SCHEDULES, soft=True
    )
    warmup: int = option(
        0, "steps of linear warm-up (constant, cosine)", least=0, soft=True
    )
    decay: float = option(
        0.5, "factor of exponential, step and plateau", above=0, below=1, soft=True
    )
    decay_after: int = option(
        1, "epochs at full rate (exponential, step)", least=1, soft=True
    )
    cycle: int = option(1000, "steps of one swing (cyclical)", above=1, soft=True)
    plateau_patience: int = option(
        1, "validations without gain (plateau)", least=1, soft=True
    )

    averaging: Averaging = option(Averaging(), "", later=True)
    layer_rates: LayerRates = option(LayerRates(), "", later=True)
    accumulate: int = option(
        1,
        "batches whose mean gradient makes one update; steps, schedules and averages"
        " count batches",
        above=0,
        later=True,
    )

    eval_every: int | None = option(
        None, "steps; by default an epoch", above=0, free=True
    )
    patience: int | None = option(
        None, "validations without gain before the run ends early", above=0, free=True
    )
    log_every: int = option(
        20, "steps between rows of metrics.jsonl", above=0, free=True
    )
    probe_every: int | None = option(
        None,
        "steps between looks at gradients, gates and updates; by default none",
        above=0,
        free=True,
        later=True,
    )
    checkpoint_every: int | None = option(
        None, "steps; by default an epoch", above=0, free=True
    )
    checkpoint_minutes: float = option(
        10.0,
        "minutes after which one is saved at any step",
        above=0,
        free=True,
        later=True,
    )
    keep: int = option(
        2, "newest checkpoints kept, beside the best", least=2, free=True
    )
    skip_nonfinite: int = option(
        0,
        "updates in a row that may be skipped for a NaN or infinity",
        least=0,
        free=True,
    )

    def __post_init__(self):
        check(self)
        total = self.steps
        if total is not None and self.warmup > total:
            raise InputError(
                f"--warmup must not exceed --steps={total}, got {self.warmup};"
                f" lower it."
            )
        if self.probe_every and self.probe_every % self.accumulate:
            raise InputError(
                f"--probe_every must be a multiple of --accumulate={self.accumulate},"
                f" since no other step moves a parameter, got {self.probe_every};"
                f" change one of them."
            )

    @property
    def movers(self) -> list[str]:
        """The settings that move parameters which get no gradient."""
        decays = self.optimizer in ("adamw", "lion")
        names = ["l1", "l2", "gradient_noise", *(["weight_decay"] if decays else [])]
        return [name for name in names if getattr(self, name)]
