"""Weights of Keras's SimpleRNN, LSTM, GRU and ConvLSTM layers: lists of arrays.

    params = from_lstm(layer.get_weights());  layer.set_weights(to_lstm(params))

`Elman`, `LSTM`, `GRU` (reset_after=True, the default), `GRUBefore` (reset_after=False)
and `ConvLSTM` compute the same, where a layer has Keras 3's activations, and
padding="same" without strides or dilation.

Each list is kernel, recurrent kernel, bias, as rnnlab's, with the blocks i, f, g, o.
GRU has its first two blocks the other way, z, r, n; with reset_after its bias is
[2, 3H], of the input and of the state: the two are added but for the last block of the
second, which is `recurrent_bias`. Without use_bias the list has two arrays: zeros here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnlab.interop import names

Weights = Sequence[Any]
Params = Mapping[str, Any]
OURS = ("kernel", "recurrent", "bias")


def from_simple_rnn(weights: Weights) -> dict[str, np.ndarray]:
    """Returns params of `Elman`, of a SimpleRNN."""
    return _from("keras SimpleRNN", weights, gates=1)


def to_simple_rnn(params: Params) -> list[np.ndarray]:
    """Returns the weights of a SimpleRNN, of params of `Elman`."""
    return _to("keras SimpleRNN", params, gates=1)


def from_lstm(weights: Weights) -> dict[str, np.ndarray]:
    """Returns params of `LSTM`, of an LSTM."""
    return _from("keras LSTM", weights, gates=4)


def to_lstm(params: Params) -> list[np.ndarray]:
    """Returns the weights of an LSTM, of params of `LSTM`."""
    return _to("keras LSTM", params, gates=4)


def from_conv_lstm(weights: Weights) -> dict[str, np.ndarray]:
    """Returns params of `ConvLSTM`, of a ConvLSTM1D, 2D or 3D."""
    return _from("keras ConvLSTM", weights, gates=4)


def to_conv_lstm(params: Params) -> list[np.ndarray]:
    """Returns the weights of a ConvLSTM1D, 2D or 3D, of params of `ConvLSTM`."""
    return _to("keras ConvLSTM", params, gates=4)


def from_gru(weights: Weights) -> dict[str, np.ndarray]:
    """Returns params of `GRU`, of a GRU with reset_after=True."""
    arrays = [np.asarray(a) for a in weights]
    if len(arrays) == 2:
        arrays.append(np.zeros_like(arrays[1][:2]))
    if len(arrays) == 3 and arrays[2].ndim != 2:
        raise ValueError(
            f"keras GRU with reset_after=True has a bias of [2, 3H], got"
            f" {list(arrays[2].shape)}; take from_gru_before."
        )
    own, other = arrays[2] if len(arrays) == 3 else (None, None)
    params = _from("keras GRU", [*arrays[:2], own, *arrays[3:]], gates=3)
    other = _swapped(other)
    inside = 2 * len(other) // 3
    params["bias"][:inside] += other[:inside]
    return params | {"recurrent_bias": other[inside:]}


def to_gru(params: Params) -> list[np.ndarray]:
    """Returns the weights of a GRU with reset_after=True, of params of `GRU`."""
    rest = {k: v for k, v in params.items() if k != "recurrent_bias"}
    names.expect("rnnlab for keras GRU", params.keys(), [*OURS, "recurrent_bias"])
    kernel, recurrent, bias = _to("keras GRU", rest, gates=3)
    other = np.zeros_like(bias)
    other[2 * len(recurrent) :] = params["recurrent_bias"]
    return [kernel, recurrent, np.stack([bias, other])]


def from_gru_before(weights: Weights) -> dict[str, np.ndarray]:
    """Returns params of `GRUBefore`, of a GRU with reset_after=False."""
    return _from("keras GRU with reset_after=False", weights, gates=3)


def to_gru_before(params: Params) -> list[np.ndarray]:
    """Returns the weights of a GRU with reset_after=False, of `GRUBefore`."""
    return _to("keras GRU with reset_after=False", params, gates=3)


def _from(owner, weights, gates):
    arrays = [np.array(a) for a in weights]
    if len(arrays) == 2:
        arrays.append(np.zeros(arrays[1].shape[-1], arrays[1].dtype))
    if len(arrays) != 3:
        raise ValueError(
            f"{owner} has the weights kernel, recurrent kernel and bias, in that order,"
            f" got {len(arrays)} arrays; pass layer.get_weights()."
        )
    params = names.arrays(owner, dict(zip(OURS, arrays, strict=True)), gates)
    return {k: _swapped(v) if gates == 3 else v for k, v in params.items()}


def _to(owner, params, gates):
    names.expect(f"rnnlab for {owner}", params.keys(), OURS)
    own = names.arrays(owner, params, gates)
    return [_swapped(own[k]) if gates == 3 else own[k].copy() for k in OURS]


def _swapped(a):
    """Returns the blocks r, z, n of z, r, n, or the other way."""
    first, second, n = np.split(a, 3, -1)
    return np.concatenate([second, first, n], -1)
