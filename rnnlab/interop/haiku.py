"""Parameters of Haiku's VanillaRNN, LSTM and GRU: {"module/path": {name: array}}.

    params = from_lstm(haiku_params)  # of "lstm/linear"
    params = from_gru(haiku_params, name="decoder/~/gru")

Modules beside the one named are passed over. The cells that compute the same are
`Elman` with relu, `LSTM` and `GRUBefore`.

VanillaRNN has a linear layer for the input and one for the state; their biases are
added. LSTM has one matrix, the rows of the input above those of the state, with the
blocks i, g, f, o; it adds 1 to its forget gate, which is in the bias here. GRU has the
blocks z, r, n, and its z is one less ours: the signs of that block are turned.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnlab.interop import names

Params = Mapping[str, Any]
Theirs = dict[str, dict[str, np.ndarray]]
OURS = ("kernel", "recurrent", "bias")
RNN = ("linear/b", "linear/w", "linear_1/b", "linear_1/w")


def from_vanilla_rnn(
    params: Params, name: str = "vanilla_rnn"
) -> dict[str, np.ndarray]:
    """Returns params of `Elman` with relu, of a hk.VanillaRNN."""
    flat = _own(params, name)
    single = "linear_1/b" not in flat  # double_bias=False
    flat |= {"linear_1/b": np.zeros_like(flat["linear/b"])} if single else {}
    names.expect("haiku.VanillaRNN", flat.keys(), RNN)
    ours = {
        "kernel": flat["linear/w"].copy(),
        "recurrent": flat["linear_1/w"].copy(),
        "bias": flat["linear/b"] + flat["linear_1/b"],
    }
    return names.arrays("haiku.VanillaRNN", ours, gates=1)


def to_vanilla_rnn(params: Params, name: str = "vanilla_rnn") -> Theirs:
    """Returns those of a hk.VanillaRNN with double_bias, of `Elman` with relu."""
    own = _ours("haiku.VanillaRNN", params, gates=1)
    other = np.zeros_like(own["bias"])
    return {
        f"{name}/linear": {"w": own["kernel"], "b": own["bias"]},
        f"{name}/linear_1": {"w": own["recurrent"], "b": other},
    }


def from_lstm(params: Params, name: str = "lstm") -> dict[str, np.ndarray]:
    """Returns params of `LSTM`, of a hk.LSTM."""
    flat = _own(params, name)
    names.expect("haiku.LSTM", flat.keys(), ("linear/b", "linear/w"))
    both, bias = _swapped(flat["linear/w"]), _swapped(flat["linear/b"])
    above = len(both) - both.shape[-1] // 4
    kernel, recurrent = both[:above].copy(), both[above:].copy()
    ours = {"kernel": kernel, "recurrent": recurrent, "bias": bias + _forget(bias)}
    return names.arrays("haiku.LSTM", ours, gates=4)


def to_lstm(params: Params, name: str = "lstm") -> Theirs:
    """Returns those of a hk.LSTM, of `LSTM`."""
    own = _ours("haiku.LSTM", params, gates=4)
    both = np.concatenate([own["kernel"], own["recurrent"]])
    bias = own["bias"] - _forget(own["bias"])
    return {f"{name}/linear": {"w": _swapped(both), "b": _swapped(bias)}}


def from_gru(params: Params, name: str = "gru") -> dict[str, np.ndarray]:
    """Returns params of `GRUBefore`, of a hk.GRU."""
    flat = _own(params, name)
    names.expect("haiku.GRU", flat.keys(), ("b", "w_h", "w_i"))
    z_r_n = {"kernel": flat["w_i"], "recurrent": flat["w_h"], "bias": flat["b"]}
    parts = {
        k: np.split(v, 3, -1) for k, v in names.arrays("haiku.GRU", z_r_n, 3).items()
    }
    return {k: np.concatenate([r, -z, n], -1) for k, (z, r, n) in parts.items()}


def to_gru(params: Params, name: str = "gru") -> Theirs:
    """Returns those of a hk.GRU, of `GRUBefore`."""
    own = _ours("haiku.GRU", params, gates=3)
    parts = {k: np.split(v, 3, -1) for k, v in own.items()}
    turned = {k: np.concatenate([-z, r, n], -1) for k, (r, z, n) in parts.items()}
    w_i, w_h, b = (turned[k] for k in OURS)
    return {name: {"w_i": w_i, "w_h": w_h, "b": b}}


def _own(params, name):
    """Returns what lies in the module of that name, flat."""
    flat = names.flatten(params)
    own = {k: np.asarray(v) for k, v in flat.items() if k.startswith(f"{name}/")}
    if not own:
        raise ValueError(
            f"there is no module {name} among {', '.join(params) or 'no modules'};"
            f" pass the name of one of these, without what follows the cell's own."
        )
    return {k.removeprefix(f"{name}/"): v for k, v in own.items()}


def _ours(owner, params, gates):
    names.expect(f"rnnlab for {owner}", params.keys(), OURS)
    return {k: v.copy() for k, v in names.arrays(owner, params, gates).items()}


def _swapped(a):
    """Returns the blocks i, f, g, o of i, g, f, o, or the other way."""
    i, second, third, o = np.split(a, 4, -1)
    return np.concatenate([i, third, second, o], -1)


def _forget(bias):
    """Returns 1 for the forget gate of i, f, g, o, else 0."""
    return np.repeat(np.array([0, 1, 0, 0], bias.dtype), len(bias) // 4)
