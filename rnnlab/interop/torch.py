"""State dicts of torch.nn.RNN, LSTM and GRU: stacked, one way or both ways.

    layers = from_lstm({k: v.numpy() for k, v in module.state_dict().items()})
    params = layers[0][0]  # of LSTM(features): first layer, forward

A list of layers, each a list of the params of its directions: forward, then, if it is
bidirectional, backward. `Elman` (tanh or relu: the weights do not say), `LSTM` and
`GRU` compute what torch does.

Torch has weight_ih [G, I] and weight_hh [G, H], here kernel and recurrent transposed,
with blocks in the same order: i, f, g, o and r, z, n. Its bias_ih and bias_hh are added
to one bias; of GRU the last block of bias_hh, which the reset gate scales, is
`recurrent_bias`. A layer made with bias=False has zeros; one with proj_size is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnlab.interop import names

Layers = Sequence[Sequence[Mapping[str, Any]]]


def from_rnn(state: Mapping[str, Any]) -> list[list[dict[str, np.ndarray]]]:
    """Returns params of `Elman`, by layer and direction, of a torch.nn.RNN."""
    return _from("torch.nn.RNN", state, gates=1)


def from_lstm(state: Mapping[str, Any]) -> list[list[dict[str, np.ndarray]]]:
    """Returns params of `LSTM`, by layer and direction, of a torch.nn.LSTM."""
    return _from("torch.nn.LSTM", state, gates=4)


def from_gru(state: Mapping[str, Any]) -> list[list[dict[str, np.ndarray]]]:
    """Returns params of `GRU`, by layer and direction, of a torch.nn.GRU."""
    return _from("torch.nn.GRU", state, gates=3)


def to_rnn(layers: Layers) -> dict[str, np.ndarray]:
    """Returns the state dict of a torch.nn.RNN, of params of `Elman`."""
    return _to("torch.nn.RNN", layers, gates=1)


def to_lstm(layers: Layers) -> dict[str, np.ndarray]:
    """Returns the state dict of a torch.nn.LSTM, of params of `LSTM`."""
    return _to("torch.nn.LSTM", layers, gates=4)


def to_gru(layers: Layers) -> dict[str, np.ndarray]:
    """Returns the state dict of a torch.nn.GRU, of params of `GRU`."""
    return _to("torch.nn.GRU", layers, gates=3)


OURS = ("kernel", "recurrent", "bias")


def _from(owner, state, gates):
    depth = max(1, sum(f"weight_ih_l{k}" in state for k in range(len(state))))
    ends = [
        [f"_l{k}{way}" for way in ("", "_reverse") if not way or _both(state)]
        for k in range(depth)
    ]
    kinds = ["weight_ih", "weight_hh"]
    if any(name.startswith("bias") for name in state):
        kinds += ["bias_ih", "bias_hh"]
    wanted = [kind + end for layer in ends for end in layer for kind in kinds]
    names.expect(owner, state.keys(), wanted)

    def direction(end):
        kernel, recurrent, *biases = (np.asarray(state[kind + end]) for kind in kinds)
        own, other = biases or [np.zeros_like(kernel[:, 0])] * 2
        params = {"kernel": kernel.T.copy(), "recurrent": recurrent.T.copy()}
        names.arrays(owner, params | {"bias": own}, gates)
        names.arrays(owner, params | {"bias": other}, gates)
        if gates != 3:
            return params | {"bias": own + other}
        inside = 2 * recurrent.shape[-1]  # what follows is in the reset gate
        bias = np.concatenate([own[:inside] + other[:inside], own[inside:]])
        return params | {"bias": bias, "recurrent_bias": other[inside:].copy()}

    return [[direction(end) for end in layer] for layer in ends]


def _both(state):
    return any(name.endswith("_reverse") for name in state)


def _to(owner, layers, gates):
    state = {}
    for k, layer in enumerate(layers):
        if len(layer) not in (1, 2) or len(layer) != len(layers[0]):
            raise ValueError(
                f"{owner} has one direction or two, in each layer as many, got"
                f" {len(layer)} in layer {k}; pass [[params], [params]], say."
            )
        for end, params in zip((f"_l{k}", f"_l{k}_reverse"), layer, strict=False):
            wanted = [*OURS, "recurrent_bias"] if gates == 3 else OURS
            names.expect(f"rnnlab for {owner}", params.keys(), wanted)
            own = names.arrays(owner, params, gates)
            other = np.zeros_like(own["bias"])
            if gates == 3:
                other[2 * len(own["recurrent"]) :] = own["recurrent_bias"]
            state[f"weight_ih{end}"] = own["kernel"].T.copy()
            state[f"weight_hh{end}"] = own["recurrent"].T.copy()
            state[f"bias_ih{end}"] = own["bias"].copy()
            state[f"bias_hh{end}"] = other
    return state
