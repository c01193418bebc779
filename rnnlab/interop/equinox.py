"""Arrays of equinox.nn.LSTMCell and GRUCell, a dict by attribute.

    names = "weight_ih", "weight_hh", "bias"
    params = from_lstm({k: getattr(cell, k) for k in names})

Equinox has weight_ih [G, I] and weight_hh [G, H], here kernel and recurrent transposed,
with the blocks in the same order: i, f, g, o and r, z, n. GRUCell's bias_n is
`recurrent_bias`. A cell with use_bias=False has no biases, or None: zeros here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnlab.interop import names

Params = Mapping[str, Any]
LSTM = {"weight_ih": "kernel", "weight_hh": "recurrent", "bias": "bias"}
GRU = LSTM | {"bias_n": "recurrent_bias"}


def from_lstm(arrays: Params) -> dict[str, np.ndarray]:
    """Returns params of `LSTM`, of an equinox.nn.LSTMCell."""
    return _from("equinox.nn.LSTMCell", arrays, LSTM, gates=4)


def to_lstm(params: Params) -> dict[str, np.ndarray]:
    """Returns the arrays of an equinox.nn.LSTMCell, of params of `LSTM`."""
    return _to("equinox.nn.LSTMCell", params, LSTM, gates=4)


def from_gru(arrays: Params) -> dict[str, np.ndarray]:
    """Returns params of `GRU`, of an equinox.nn.GRUCell."""
    return _from("equinox.nn.GRUCell", arrays, GRU, gates=3)


def to_gru(params: Params) -> dict[str, np.ndarray]:
    """Returns the arrays of an equinox.nn.GRUCell, of params of `GRU`."""
    return _to("equinox.nn.GRUCell", params, GRU, gates=3)


def _from(owner, arrays, table, gates):
    found = {k: np.asarray(v) for k, v in arrays.items() if v is not None}
    if "weight_hh" in found and not {"bias", "bias_n"} & found.keys():
        wide, units = found["weight_hh"].shape
        zeros = np.zeros(wide, found["weight_hh"].dtype)
        found |= {"bias": zeros} | ({"bias_n": zeros[:units]} if gates == 3 else {})
    names.expect(owner, found.keys(), list(table))
    ours = {table[k]: v.T.copy() for k, v in found.items()}  # .T of a vector is it
    return names.arrays(owner, ours, gates)


def _to(owner, params, table, gates):
    names.expect(f"rnnlab for {owner}", params.keys(), list(table.values()))
    own = names.arrays(owner, params, gates)
    return {theirs: own[ours].T.copy() for theirs, ours in table.items()}
