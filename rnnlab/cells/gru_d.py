"""A gated recurrent unit for features that are seen now and then."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.cell import Params
from rnnlab.cells import checks
from rnnlab.cells.dense import Dense
from rnnlab.cells.gru import GRUBefore


class Observed(NamedTuple):
    """Features of which some are missing, each [..., I].

    Attributes:
        x: the features; where they are not seen, anything, NaN included.
        seen: 1 where a feature is seen, else 0.
        gap: the time since that feature was last seen.
    """

    x: jax.Array
    seen: jax.Array
    gap: jax.Array


class GRUDCarry(NamedTuple):
    """The state `h` [..., H] and the `last` value seen of each feature [..., I]."""

    h: jax.Array
    last: jax.Array


class GRUDInput(NamedTuple):
    """What a step takes of its input.

    Attributes:
        gates: what it gives to the gates without the carry, [..., 3H].
        decay: gamma_h, [..., H].
        fresh: x where it is seen, else 0, [..., I].
        missing: 0 where x is seen, else 1, [..., I].
        share: gamma_x where x is missing, else 0, [..., I].
    """

    gates: jax.Array
    decay: jax.Array
    fresh: jax.Array
    missing: jax.Array
    share: jax.Array


@dataclasses.dataclass(frozen=True)
class GRUD(Dense):
    """A GRU whose missing inputs and whose state decay with the time unseen.

    gamma_x = exp(-max(0, w_x * gap_t + b_x));  gamma_h = exp(-max(0, W_h gap_t + b_h))
    last_t = m_t * x_t + (1 - m_t) * last_{t-1}
    x' = m_t * x_t + (1 - m_t) * (gamma_x * last_{t-1} + (1 - gamma_x) * mean)
    h_t = the step of `GRUBefore` on [x', m_t] from gamma_h * h_{t-1};  y_t = h_t

    m is `seen`; the rows of `kernel` for x' stand before those for m. The GRU's second
    product waits for its first, so this is a plain Cell. `mean`, of each feature over
    the data, is not trained: set it, or give x of mean 0. Until a feature is seen,
    `last` is 0.

    Attributes:
        features: H, the number of units.
        inputs: I, the features of x, which the carry needs to know.

    References:
        Che et al., Recurrent neural networks for multivariate time series with
        missing values, 2018, https://arxiv.org/abs/1606.01865
    """

    units: ClassVar[bool] = False

    gates: ClassVar[int] = 3

    inputs: int

    def __post_init__(self):
        checks.positive(self, "features", "inputs")

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [2I, 3H], recurrent [H, 3H], bias [3H], and zeros.

        mean, input_decay (w_x), input_decay_bias [I], state_decay (W_h) [I, H],
        state_decay_bias [H].

        Raises:
            ValueError: in_features is not `inputs`.
        """
        self._check(in_features)
        return super().init(key, 2 * in_features) | {
            "mean": jnp.zeros(in_features),
            "input_decay": jnp.zeros(in_features),
            "input_decay_bias": jnp.zeros(in_features),
            "state_decay": jnp.zeros((in_features, self.features)),
            "state_decay_bias": jnp.zeros(self.features),
        }

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> GRUDCarry:
        """Returns zeros for `h` [*batch, H] and `last` [*batch, I]."""
        return GRUDCarry(
            jnp.zeros((*batch, self.features), dtype),
            jnp.zeros((*batch, self.inputs), dtype),
        )

    def prepare(self, params: Params) -> Params:
        """Returns the parameters with a mean that has no gradient."""
        return {**params, "mean": jax.lax.stop_gradient(params["mean"])}

    def project(self, params: Params, x: Any) -> GRUDInput:
        """Returns what `Observed` gives without the carry.

        Raises:
            ValueError: x is not `Observed`, or has not `inputs` features.
        """
        if not isinstance(x, Observed):
            raise ValueError(
                f"GRUD needs x, what is seen of it and since when, got {type(x)};"
                f" pass Observed(x, seen, gap), each [..., {self.inputs}]."
            )
        self._check(x.x.shape[-1])
        seen = x.seen > 0.5
        # At 0, where all decays start, jnp.maximum has half a gradient and relu none.
        rate = x.gap * params["input_decay"] + params["input_decay_bias"]
        share = jnp.exp(-jnp.maximum(rate, 0))
        rate = x.gap @ params["state_decay"] + params["state_decay_bias"]
        filled = jnp.where(seen, x.x, (1 - share) * params["mean"])
        return GRUDInput(
            gates=super().project(params, jnp.concatenate([filled, x.seen], axis=-1)),
            decay=jnp.exp(-jnp.maximum(rate, 0)),
            fresh=jnp.where(seen, x.x, 0),
            missing=jnp.where(seen, 0, jnp.ones_like(x.x)),
            share=jnp.where(seen, 0, share),
        )

    def step(self, params, carry, u):
        """Returns the state and the values last seen, and the state."""
        held = (u.share * carry.last) @ params["kernel"][: self.inputs]
        gru = GRUBefore(self.features)
        h, y = gru.step(params, u.decay * carry.h, u.gates + held)
        return GRUDCarry(h, u.fresh + u.missing * carry.last), y

    def _check(self, in_features: int) -> None:
        if in_features != self.inputs:
            raise ValueError(
                f"{self} needs x of {self.inputs} features, got {in_features}; make"
                f" the cell with inputs={in_features}."
            )
