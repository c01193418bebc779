"""A model of what more devices bring: bytes a step sends, and tokens a second.

It is a model: see docs/scaling.md for what it leaves out. What it counts is held to
the collectives that XLA compiles in `tests/scale/test_devices.py`.
"""

from typing import NamedTuple


class Sizes(NamedTuple):
    """Bytes of the parameters of a language model, float32.

    Attributes:
        narrow: of the recurrent layers and the biases.
        wide: of embedding and output matrix, which `fsdp` cuts.
    """

    narrow: int
    wide: int


class Network(NamedTuple):
    """What joins the devices.

    Attributes:
        name: what it is, and where its numbers are from.
        rate: bytes a second that a device sends while it receives as many.
        latency: seconds until the first of them arrives.
    """

    name: str
    rate: float
    latency: float


def sizes(features: int, vocab_size: int, layers: int) -> Sizes:
    """Returns the bytes of an LSTM language model with an embedding as wide as it."""
    gates = 4 * features
    layer = (features + features) * gates + gates
    return Sizes(4 * (layers * layer + vocab_size), 4 * 2 * vocab_size * features)


def reduced(model: Sizes) -> int:
    """Returns the bytes of gradient that all devices add up in a step."""
    return model.narrow + model.wide


def gathered(model: Sizes, rule: str) -> int:
    """Returns the bytes of parameters that all devices put together in a step."""
    return model.wide if rule == "fsdp" else 0


def sending(model: Sizes, rule: str, devices: int, network: Network) -> float:
    """Returns the seconds of a step's sending around a ring, of two halves a sum.

    In n - 1 turns each device hands on a part of 1/n, and has a part of the sum; in as
    many again, the whole. To gather is the second half alone.
    """
    turns = devices - 1
    parts = (2 * reduced(model) + gathered(model, rule)) / devices
    rounds = 3 if gathered(model, rule) else 2
    return turns * (parts / network.rate + rounds * network.latency)


def efficiency(
    model: Sizes, rule: str, devices: int, network: Network, step: float
) -> float:
    """Returns the share of `devices` times the rate of one that is left.

    Args:
        model: its parameters.
        rule: of `rnnlab.training.mesh.RULES`.
        devices: each with a batch as large as that of one.
        network: what joins them.
        step: seconds of a step on one device.
    """
    return step / (step + sending(model, rule, devices, network))
