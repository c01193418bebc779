"""What keeps a language model from learning its text by heart."""

import dataclasses
from typing import Any

from rnnlab.cell import Cell
from rnnlab.errors import InputError
from rnnlab.options import check, option
from rnnlab.wrappers import recurrent_dropout, state_dropout, zoneout


def _share(help: str) -> Any:
    """Returns the option of a share that is dropped, zero by default."""
    return option(0.0, help, least=0, below=1, soft=True)


@dataclasses.dataclass(frozen=True)
class Regularization:
    """Beside `--dropout`, which is between layers; all are off by default."""

    dropout_in: float | None = option(
        None, "at the first layer's input; by default as dropout", least=0, below=1,
        soft=True,
    )  # fmt: skip
    dropout_out: float | None = option(
        None, "at the last layer's output; by default as dropout", least=0, below=1,
        soft=True,
    )  # fmt: skip
    variational: bool = option(False, "one mask of dropout for all steps", soft=True)
    embedding_dropout: float = _share("share of the vocabulary dropped for a batch")
    token_dropout: float = _share("share of tokens whose vectors are dropped")
    weight_drop: float = _share("share of recurrent weights dropped for a batch")
    recurrent_dropout: float = _share(
        "share of units that recurrent products do not see, one mask for all steps"
    )
    state_dropout: float = _share("share of the carry forgotten at each step")
    zoneout: float = _share("share of the carry that stays as it was at each step")
    ar: float = option(
        0.0, "weight of the square of the last layer's output", least=0, soft=True
    )
    tar: float = option(
        0.0, "weight of the square of its change over a step", least=0, soft=True
    )

    def __post_init__(self):
        check(self)

    def wrap(self, name: str, cell: Cell[Any]) -> Cell[Any]:
        """Returns the cell with what is done at each of its steps.

        Args:
            name: of the cell, for the error.
            cell: one layer's.

        Raises:
            InputError: the cell has no recurrent product to drop from, or carries what
                is neither to be forgotten nor kept at random.
        """
        bare = cell
        try:
            if self.recurrent_dropout:
                cell = recurrent_dropout(cell, self.recurrent_dropout)
        except TypeError as error:
            raise InputError(
                f"--recurrent_dropout needs a cell whose product with the carry stands"
                f" apart, such as lstm, got --cell={name}; take --state_dropout or"
                f" --zoneout."
            ) from error
        if not bare.units and (self.state_dropout or self.zoneout):
            raise InputError(
                f"--state_dropout and --zoneout need a cell that carries values of"
                f" units alone, such as lstm, got --cell={name}; leave them out."
            )
        if self.state_dropout:
            cell = state_dropout(cell, self.state_dropout)
        if self.zoneout:
            cell = zoneout(cell, self.zoneout)
        return cell
