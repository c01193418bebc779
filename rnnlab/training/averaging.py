"""A mean of the parameters over the run: evaluated and kept as best, never trained.

Updates go on from the parameters themselves. The mean counts each step's parameters
once, in SWA too, whose paper takes those at the ends of cycles or epochs; until it
begins it is the newest ones.

References:
    Polyak, Juditsky, Acceleration of stochastic approximation by averaging, 1992,
    https://doi.org/10.1137/0330046
    Merity, Keskar, Socher, Regularizing and optimizing LSTM language models, 2018,
    https://arxiv.org/abs/1708.02182 (asgd)
    Izmailov et al., Averaging weights leads to wider optima and better generalization,
    2018, https://arxiv.org/abs/1803.05407 (swa)
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.options import check, option
from rnnlab.training.task import Params


@dataclasses.dataclass(frozen=True)
class Averaging:
    """Which mean of the parameters is evaluated; by default none."""

    average: str = option(
        "none",
        "parameters to evaluate: none, the newest; or means: ema, fading; swa, of the"
        " steps after average_after; asgd, of those after validations stop to gain",
        choices=("none", "ema", "swa", "asgd"),
    )
    average_decay: float = option(
        0.999, "factor a step on what ema has seen", above=0, below=1, soft=True
    )
    average_after: int = option(
        1, "epochs before the mean begins (swa)", least=0, soft=True
    )
    nonmonotone: int = option(
        5,
        "newest validations left out when asgd asks whether one is worse than the best;"
        " 0 begins at once",
        least=0,
        below=1001,
    )

    def __post_init__(self):
        check(self)

    @property
    def waits(self) -> bool:
        """Whether validations say when the mean begins."""
        return self.average == "asgd" and self.nonmonotone > 0


class Average(NamedTuple):
    """A mean of parameters.

    Attributes:
        params: the mean.
        steps: how many it is of, int32; 0 before it begins.
    """

    params: Params
    steps: jax.Array


class Trigger(NamedTuple):
    """What begins the mean of asgd, by a rule of Merity et al.

    Attributes:
        best: the lowest loss of all validations but the newest ones, float32.
        newest: losses, the last one at the end, float32 [nonmonotone].
        pulled: whether a validation was worse than `best`, bool.
    """

    best: jax.Array
    newest: jax.Array
    pulled: jax.Array


def begin(averaging: Averaging, params: Params) -> tuple[Any, Any]:
    """Returns average and trigger before the first step; () for what is not asked."""
    average = trigger = ()
    if averaging.average != "none":
        # Copied: the parameters are donated, and so is this.
        average = Average(jax.tree.map(jnp.copy, params), jnp.zeros((), jnp.int32))
    if averaging.waits:
        newest = jnp.full(averaging.nonmonotone, jnp.inf, jnp.float32)
        trigger = Trigger(jnp.float32(jnp.inf), newest, jnp.bool_(False))
    return average, trigger


def follower(averaging: Averaging, epoch: int) -> Callable[..., Any]:
    """Returns a function of average, trigger, step and new params: the next average.

    Args:
        averaging: which mean.
        epoch: steps in one.
    """
    if averaging.average == "none":
        return lambda average, trigger, step, params: average

    def follow(average: Average, trigger: Any, step: jax.Array, params: Params):
        begun = jnp.bool_(True)
        if averaging.average == "swa":
            begun = step >= averaging.average_after * epoch
        elif averaging.waits:
            begun = trigger.pulled
        count = jnp.where(begun, average.steps + 1, 0)
        share = jnp.where(begun, _share(averaging, count), 1.0)

        def moved(mean: jax.Array, new: jax.Array) -> jax.Array:
            # By the difference: where nothing changes, the mean stays to the bit.
            return jnp.where(share < 1, mean + share * (new - mean), new)

        return Average(jax.tree.map(moved, average.params, params), count)

    return follow


def heed(trigger: Any, loss: float) -> Any:
    """Returns the trigger after a validation; () stays ()."""
    if not trigger:
        return trigger
    newest = jnp.roll(trigger.newest, -1).at[-1].set(np.float32(loss))
    return Trigger(
        best=jnp.fmin(trigger.best, trigger.newest[0]),
        newest=newest,
        pulled=trigger.pulled | (np.float32(loss) > trigger.best),
    )


def _share(averaging: Averaging, count: jax.Array) -> jax.Array:
    """Returns the newest parameters' share of a mean of `count` steps.

    That of ema is such that shares sum to one: those before the first have none.
    """
    if averaging.average != "ema":
        return 1 / count
    decay = averaging.average_decay
    return (1 - decay) / -jnp.expm1(count * math.log(decay))
