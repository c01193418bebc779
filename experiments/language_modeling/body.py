"""What stands between the embedding and the output of a language model."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from rnnlab.errors import InputError
from rnnlab.options import check, option

# Settings that only one body has a use for, beside those of `Body`.
RECURRENT = (
    *("cell", "cell_options", "forget_bias", "engine"),
    *("weight_drop", "recurrent_dropout", "state_dropout", "zoneout"),
)
LONGEST = 2**16  # tokens back that a network of convolutions may see
KERNELS = {"tcn": 3, "blocks": 4}  # inputs that a convolution sees, by body
WINDOWS = {"qrnn": 2}  # inputs that a layer's cell is given, where not its own alone


@dataclasses.dataclass(frozen=True)
class Body:
    """Recurrent layers, or one of the networks that they are compared with."""

    body: str = option(
        "recurrent",
        "layers of --cell, or of --cell in the blocks of a transformer, or of dilated"
        " convolutions (tcn), or of attention",
        choices=("recurrent", "blocks", "tcn", "transformer"),
    )
    kernel: int | None = option(
        None,
        "inputs that a convolution of tcn sees (by default 3), or that before each cell"
        " of blocks (4), or that a layer's cell is given (1; qrnn 2)",
        above=1,
        below=1025,
    )
    heads: int | None = option(
        None, "of a transformer's layer; by default 4", above=0, below=1025
    )
    context: int | None = option(
        None,
        "tokens before it that a transformer's token attends to; by default --length",
        above=0,
        below=2**16 + 1,
    )

    def __post_init__(self):
        check(self)
        attention = self.body == "transformer"
        wanted = "another --body" if attention else "--body=transformer"
        for name in ("kernel",) if attention else ("heads", "context"):
            if getattr(self, name) is not None:
                raise InputError(
                    f"--{name} needs {wanted}, got --body={self.body}; leave it out."
                )

    @property
    def recurrent(self) -> bool:
        """Whether it is made of cells."""
        return self.body in ("recurrent", "blocks")

    def check_use(self, config: Any, layers: int, features: int) -> None:
        """Raises InputError for what the body has no use for, or cannot be made of.

        Args:
            config: all settings.
            layers: of it.
            features: of each.
        """
        unused = [] if self.recurrent else [*RECURRENT]
        if self.body in ("blocks", "transformer"):
            unused.append("last_features")  # what is added has the same everywhere
        given = {*_given(config)}
        for name in unused:
            if name in given:
                raise InputError(
                    f"--{name} has no place in --body={self.body}; leave it out."
                )
        if self.body == "tcn" and self.reach(layers) > LONGEST:
            raise InputError(
                f"--body=tcn must see no more than {LONGEST} tokens back, got"
                f" --layers={layers} and --kernel={self.inputs()}, which see"
                f" {self.reach(layers)}; lower --layers."
            )
        if self.body == "transformer" and features % (2 * self.count):
            raise InputError(
                f"--body=transformer needs --features that are a multiple of twice its"
                f" --heads={self.count}, got {features}; take"
                f" --features={-(-features // (2 * self.count)) * 2 * self.count}."
            )

    def reach(self, layers: int) -> int:
        """Returns how many tokens before it a token of a tcn sees."""
        return 2 * (self.inputs() - 1) * (2**layers - 1)

    def span(self, length: int) -> int:
        """Returns how many tokens before it a transformer's token attends to."""
        return self.context or length

    def attended(self, length: int) -> int:
        """Returns the weights of attention that a token has in a layer."""
        if self.body != "transformer":
            return 0
        return self.count * (self.span(length) + length)

    def inputs(self, cell: str = "") -> int:
        """Returns the inputs that a convolution sees, or else a layer of cells."""
        return self.kernel or KERNELS.get(self.body) or WINDOWS.get(cell, 1)

    @property
    def count(self) -> int:
        """The heads of a layer of attention."""
        return self.heads or 4


def _given(config: Any) -> Iterator[str]:
    """Yields the names of the settings that are not at their defaults."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _given(value)
        elif value != field.default:
            yield field.name
