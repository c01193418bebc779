"""Long short-term memories with one thing taken out, tied or added."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params, SplitCell
from rnnlab.cells import checks
from rnnlab.cells.dense import Dense

VARIANTS = {"nig": "fgo", "nfg": "igo", "nog": "ifg", "cifg": "igo"}  # their blocks
VARIANTS |= dict.fromkeys(("niaf", "noaf", "np", "fgr"), "ifgo")


class GreffCarry(NamedTuple):
    """The memory `c` and the output `h`, [..., H], and i, f, o [..., 3H] or none."""

    c: jax.Array
    h: jax.Array
    gates: Any = ()


@dataclasses.dataclass(frozen=True)
class GreffLSTM(Dense, SplitCell[Any]):
    """A variant of the paper's vanilla cell, `PeepholeLSTM`, whose equations follow.

    i, f = sigmoid(W x_t + b + R h_{t-1} + p * c_{t-1});  g = tanh(W_g x_t + ...)
    c_t = f * c_{t-1} + i * g;  o = sigmoid(W_o x_t + b_o + R_o h_{t-1} + p_o * c_t)
    h_t = o * tanh(c_t);  y_t = h_t

    The variants: `nig`, `nfg`, `nog`: i, f or o is 1. `niaf`: g without tanh. `noaf`:
    h_t = o * c_t. `np`: no p. `cifg`: f = 1 - i. `fgr`: i, f and o also see i, f and o
    of the last step, through nine matrices. The columns stand in the order i, f, g, o,
    the rows of `peephole` i, f, o, and `gates` is [3H, 3H]; each without what is not.

    Attributes:
        features: H, the number of units.
        variant: one of the above.
        forget_bias: initial bias of the forget gate, where there is one.

    References:
        Greff et al., LSTM: a search space odyssey, 2017,
        https://arxiv.org/abs/1503.04069
    """

    variant: str
    forget_bias: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        checks.one_of(self, "variant", VARIANTS)

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel, recurrent, bias, by blocks; peephole, zeros; and gates."""
        of_blocks, of_gates = jax.random.split(key)
        blocks, units = VARIANTS[self.variant], self.features
        params = initializers.gates(of_blocks, in_features, units, len(blocks))
        bias = [self.forget_bias if block == "f" else 0.0 for block in blocks]
        params["bias"] = jnp.repeat(jnp.array(bias), units)
        if self.variant != "np":
            params["peephole"] = jnp.zeros((len(blocks) - 1, units))
        if self.variant == "fgr":
            draw, shape = jax.nn.initializers.orthogonal(), (3 * units, units)
            params["gates"] = initializers.side_by_side(draw, of_gates, shape, 3)
        return params

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> GreffCarry:
        """Returns zeros: `c` and `h` [*batch, H], and for `fgr` gates [*batch, 3H]."""
        shape, wide = (*batch, self.features), (*batch, 3 * self.features)
        gates = jnp.zeros(wide, dtype) if self.variant == "fgr" else ()
        return GreffCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype), gates)

    def recur(self, params: Params, carry: GreffCarry) -> jax.Array:
        """Returns R h, and for `fgr` what the last gates add to it."""
        r = carry.h @ params["recurrent"]
        if self.variant != "fgr":
            return r
        i, f, o = jnp.split(carry.gates @ params["gates"], 3, axis=-1)
        return r + jnp.concatenate([i, f, jnp.zeros_like(o), o], axis=-1)

    def update(self, params, carry, u, r):
        """Returns the new carry and the output; the output is also y."""
        blocks, p = VARIANTS[self.variant], params.get("peephole", ())
        of = dict(zip(blocks, jnp.split(u + r, len(blocks), axis=-1), strict=True))
        p = dict(zip(blocks.replace("g", ""), p, strict=False))  # `np` has none

        def gate(name, c):
            if name not in of:
                return 1.0
            return sigmoid(of[name] + p[name] * c if p else of[name])

        i = gate("i", carry.c)
        f = 1 - i if self.variant == "cifg" else gate("f", carry.c)
        g = of["g"] if self.variant == "niaf" else tanh(of["g"])
        c = f * carry.c + i * g
        o = gate("o", c)
        h = o * (c if self.variant == "noaf" else tanh(c))
        gates = jnp.concatenate([i, f, o], axis=-1) if self.variant == "fgr" else ()
        return GreffCarry(c, h, gates), h
