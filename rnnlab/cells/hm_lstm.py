"""Stacked memories that find the boundaries at which the next of them moves."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Cell, Params
from rnnlab.cells import checks


class HMLSTMCarry(NamedTuple):
    """Memories and outputs [..., layers, H], boundaries [..., layers - 1], 0 or 1."""

    c: jax.Array
    h: jax.Array
    z: jax.Array


@dataclasses.dataclass(frozen=True)
class HMLSTM(Cell[HMLSTMCarry]):
    """Hierarchical multiscale LSTM: each layer copies, updates or flushes its memory.

    i, f, o = sigmoid(a), g = tanh(a), z~ = clip((slope a + 1) / 2, 0, 1), by block, of
    a = U h^l_{t-1} + z^l_{t-1} V h^{l+1}_{t-1} + z^{l-1}_t W h^{l-1}_t + b
    copy, where z^l_{t-1} = z^{l-1}_t = 0: c^l and h^l stay as they are
    update, where z^l_{t-1} = 0, z^{l-1}_t = 1: c_t = f * c_{t-1} + i * g
    flush, where z^l_{t-1} = 1: c_t = i * g;  in both, h_t = o * tanh(c_t)
    y_t = relu(sum_l sigmoid(w_l . [h^1_t .. h^L_t]) W_l h^l_t)

    z^l is 1 where z~^l > 0.5, else 0, and its derivative is taken to be that of z~^l:
    straight-through, and not the slope of any value. h^0 = x with z^0 = 1; the last
    layer has no boundary, as in the paper. Columns stand in the order i, f, g, o, z.

    Attributes:
        features: H, the number of units of each layer.
        layers: L, 2 or more.
        slope: of the hard sigmoid; the paper raises it from 1 to 5 in training.

    References:
        Chung, Ahn, Bengio, Hierarchical multiscale recurrent neural networks, 2017,
        https://arxiv.org/abs/1609.01704
    """

    units: ClassVar[bool] = False

    features: int
    layers: int = 2
    slope: float = 1.0

    def __post_init__(self):
        checks.positive(self, "features", "layers")
        checks.above_zero(self, "slope")
        if self.layers < 2:
            raise ValueError(
                f"HMLSTM needs at least 2 layers, got {self.layers}; one alone has no"
                f" boundary and is an LSTM."
            )

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns layers, gate [L H, L] and readout [L H, H].

        Each of the layers has kernel W, recurrent U [H, 4H + 1], topdown V [H, 4H + 1]
        and bias [4H + 1]; the last has no topdown, and 4H columns.
        """
        units, rows = self.features, self.layers * self.features
        gate, readout, *keys = jax.random.split(key, self.layers + 2)
        glorot = jax.nn.initializers.glorot_uniform()
        first = self._layer(keys[0], in_features, last=False)
        rest = [self._layer(k, units, last=k is keys[-1]) for k in keys[1:]]
        return {
            "layers": [first, *rest],
            "gate": glorot(gate, (rows, self.layers)),
            "readout": glorot(readout, (rows, units)),
        }

    def _layer(self, key: jax.Array, in_features: int, last: bool) -> Params:
        """Returns what a layer has; the column of z is drawn as those of a gate."""
        own, top = jax.random.split(key)
        params = initializers.gates(own, in_features, self.features, count=5)
        if not last:
            above = initializers.gates(top, self.features, self.features, count=5)
            params["topdown"] = above["kernel"]
        columns = 4 * self.features + (not last)
        return {name: leaf[..., :columns] for name, leaf in params.items()}

    def initial(self, batch: tuple[int, ...], dtype: Any = jnp.float32) -> HMLSTMCarry:
        """Returns zeros: no boundary was found."""
        shape = (*batch, self.layers, self.features)
        z = jnp.zeros((*batch, self.layers - 1), dtype)
        return HMLSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype), z)

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns W x + b of the first layer, [..., 4H + 1]."""
        return x @ params["layers"][0]["kernel"] + params["layers"][0]["bias"]

    def step(self, params, carry, u):
        """Returns the layers' new states, and what the output module takes of them."""
        c, h = [], []
        z: list[Any] = [1.0]  # of x, then of each layer
        for k, own in enumerate(params["layers"]):
            old_c, old_h, below = carry.c[..., k, :], carry.h[..., k, :], z[k]
            a = u if k == 0 else below * (h[-1] @ own["kernel"]) + own["bias"]
            a, flush = a + old_h @ own["recurrent"], 0.0
            if "topdown" in own:
                flush = carry.z[..., k, None]
                a = a + flush * (carry.h[..., k + 1, :] @ own["topdown"])
            ends = [self.features * n for n in (1, 2, 3, 4)]
            i, f, g, o, detector = jnp.split(a, ends, axis=-1)
            moves = flush + (1 - flush) * below
            kept = (1 - flush) * (1 - below * sigmoid(-f)) * old_c
            c.append(moves * sigmoid(i) * tanh(g) + kept)
            h.append(moves * sigmoid(o) * tanh(c[-1]) + (1 - moves) * old_h)
            z.append(self._boundary(detector))  # of the last layer, [..., 0]
        gates = sigmoid(jnp.concatenate(h, -1) @ params["gate"])
        gated = (gates[..., None] * jnp.stack(h, -2)).reshape(*u.shape[:-1], -1)
        after = jnp.stack(c, -2), jnp.stack(h, -2), jnp.concatenate(z[1:], -1)
        return HMLSTMCarry(*after), jax.nn.relu(gated @ params["readout"])

    def _boundary(self, a: jax.Array) -> jax.Array:
        """Returns 0 or 1, with the derivative of the hard sigmoid."""
        soft = jnp.clip((self.slope * a + 1) / 2, 0, 1)
        hard = (soft > 0.5).astype(soft.dtype)
        return hard + (soft - jax.lax.stop_gradient(soft))
