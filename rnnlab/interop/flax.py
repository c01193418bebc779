"""Parameters of Flax's cells, linen and nnx: nested dicts of arrays.

    params = from_linen_lstm(variables["params"]["cell"])  # of nn.RNN(nn.LSTMCell(H))
    params = from_nnx_gru(nnx.to_pure_dict(nnx.state(cell, nnx.Param)))

`Elman`, `LSTM` and `GRU` compute what Flax's SimpleCell (tanh or relu, without
residual: the weights do not say), LSTMCell and GRUCell do.

Linen and nnx.LSTMCell have one matrix a gate, here the blocks of columns: i, f, g, o
and r, z, n. nnx.OptimizedLSTMCell, GRUCell and SimpleCell have all blocks in one. The
LSTM's bias stands with the recurrent matrices, that of the others with the input's.
nnx.GRUCell has no bias inside the reset gate: `recurrent_bias` is zero.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnlab.interop import names

Params = Mapping[str, Any]
OURS = ("kernel", "recurrent", "bias")


def _by_gate(gates, kernel, recurrent, bias):
    """Returns for each of rnnlab's arrays the names of its blocks, in order."""
    ours = zip(OURS, (kernel, recurrent, bias), strict=True)
    return {name: [form.format(gate) for gate in gates] for name, form in ours}


LINEN_SIMPLE = _by_gate("_", "i/kernel", "h/kernel", "i/bias")
LINEN_LSTM = _by_gate("ifgo", "i{}/kernel", "h{}/kernel", "h{}/bias")
LINEN_GRU = _by_gate("rzn", "i{}/kernel", "h{}/kernel", "i{}/bias")
LINEN_GRU |= {"recurrent_bias": ["hn/bias"]}
NNX_SIMPLE = _by_gate("_", "dense_i/kernel", "dense_h/kernel", "dense_i/bias")
NNX_LSTM = LINEN_LSTM | {"kernel": [f"{g}/kernel" for g in ("ii", "if_", "ig", "io")]}
NNX_OPTIMIZED = NNX_SIMPLE | {"bias": ["dense_h/bias"]}


def from_linen_simple(params: Params) -> dict[str, np.ndarray]:
    """Returns params of `Elman`, of linen's SimpleCell."""
    return _from("flax.linen.SimpleCell", params, LINEN_SIMPLE, gates=1)


def to_linen_simple(params: Params) -> dict[str, Any]:
    """Returns params of linen's SimpleCell, of those of `Elman`."""
    return _to("flax.linen.SimpleCell", params, LINEN_SIMPLE, gates=1)


def from_linen_lstm(params: Params) -> dict[str, np.ndarray]:
    """Returns params of `LSTM`, of linen's LSTMCell or OptimizedLSTMCell."""
    return _from("flax.linen.LSTMCell", params, LINEN_LSTM, gates=4)


def to_linen_lstm(params: Params) -> dict[str, Any]:
    """Returns params of linen's LSTMCell or OptimizedLSTMCell, of those of `LSTM`."""
    return _to("flax.linen.LSTMCell", params, LINEN_LSTM, gates=4)


def from_linen_gru(params: Params) -> dict[str, np.ndarray]:
    """Returns params of `GRU`, of linen's GRUCell."""
    return _from("flax.linen.GRUCell", params, LINEN_GRU, gates=3)


def to_linen_gru(params: Params) -> dict[str, Any]:
    """Returns params of linen's GRUCell, of those of `GRU`."""
    return _to("flax.linen.GRUCell", params, LINEN_GRU, gates=3)


def from_nnx_simple(params: Params) -> dict[str, np.ndarray]:
    """Returns params of `Elman`, of nnx.SimpleCell."""
    return _from("flax.nnx.SimpleCell", params, NNX_SIMPLE, gates=1)


def to_nnx_simple(params: Params) -> dict[str, Any]:
    """Returns params of nnx.SimpleCell, of those of `Elman`."""
    return _to("flax.nnx.SimpleCell", params, NNX_SIMPLE, gates=1)


def from_nnx_lstm(params: Params) -> dict[str, np.ndarray]:
    """Returns params of `LSTM`, of nnx.LSTMCell."""
    return _from("flax.nnx.LSTMCell", params, NNX_LSTM, gates=4)


def to_nnx_lstm(params: Params) -> dict[str, Any]:
    """Returns params of nnx.LSTMCell, of those of `LSTM`."""
    return _to("flax.nnx.LSTMCell", params, NNX_LSTM, gates=4)


def from_nnx_optimized_lstm(params: Params) -> dict[str, np.ndarray]:
    """Returns params of `LSTM`, of nnx.OptimizedLSTMCell."""
    return _from("flax.nnx.OptimizedLSTMCell", params, NNX_OPTIMIZED, gates=4)


def to_nnx_optimized_lstm(params: Params) -> dict[str, Any]:
    """Returns params of nnx.OptimizedLSTMCell, of those of `LSTM`."""
    return _to("flax.nnx.OptimizedLSTMCell", params, NNX_OPTIMIZED, gates=4)


def from_nnx_gru(params: Params) -> dict[str, np.ndarray]:
    """Returns params of `GRU`, of nnx.GRUCell; `recurrent_bias` is zero."""
    found = _from("flax.nnx.GRUCell", params, NNX_SIMPLE, gates=3)
    return found | {"recurrent_bias": np.zeros_like(found["recurrent"][:, 0])}


def to_nnx_gru(params: Params) -> dict[str, Any]:
    """Returns params of nnx.GRUCell, of those of `GRU`.

    Raises:
        ValueError: `recurrent_bias`, which nnx.GRUCell does not have, is not zero.
    """
    own = dict(params)
    if np.any(np.asarray(own.pop("recurrent_bias", 0))):
        raise ValueError(
            "flax.nnx.GRUCell has no bias inside the reset gate, so that"
            " recurrent_bias has to be zero, got other numbers; take to_linen_gru."
        )
    return _to("flax.nnx.GRUCell", own, NNX_SIMPLE, gates=3)


def _from(owner, params, blocks, gates):
    flat = names.flatten(params)
    names.expect(owner, flat.keys(), sum(blocks.values(), []))
    joined = {
        name: np.concatenate([flat[block] for block in own], -1)
        for name, own in blocks.items()
    }
    return names.arrays(owner, joined, gates)


def _to(owner, params, blocks, gates):
    names.expect(f"rnnlab for {owner}", params.keys(), list(blocks))
    parts = {
        block: part.copy()
        for name, leaf in names.arrays(owner, params, gates).items()
        for block, part in zip(
            blocks[name], np.split(leaf, len(blocks[name]), -1), strict=True
        )
    }
    return names.nest(parts)
