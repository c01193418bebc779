"""The settings of a language model."""

import dataclasses
from typing import Any

from experiments.language_modeling.source import Source
from rnnlab import engines
from rnnlab.cell import Cell
from rnnlab.cells import CELLS
from rnnlab.errors import InputError
from rnnlab.options import option
from rnnlab.training.settings import Training


@dataclasses.dataclass(frozen=True)
class Config(Source):
    """Text, network and training; the defaults suit two cores and three minutes."""

    cell: str = option("lstm", "what a step computes", choices=CELLS)
    forget_bias: float | None = option(
        None, "of the forget gate at first; by default the cell's own", later=True
    )
    engine: str = option(
        "auto",
        "how steps are executed; all give the same numbers",
        choices=("auto", *engines.ENGINES),
        free=True,
    )
    features: int = option(256, "units a layer", above=0, below=2**13 + 1)
    layers: int = option(1, "recurrent layers", above=0, below=65)
    embedding: int | None = option(
        None, "of a token; by default as features", above=0, below=1_000_000
    )
    tied: bool = option(False, "use the embedding as output weights")
    dropout: float = option(0.0, "share of values dropped", least=0, below=1, soft=True)
    init_scale: float | None = option(
        None, "draw all parameters from [-init_scale, init_scale]", above=0
    )

    batch_size: int = option(32, "rows of text side by side", above=0)
    length: int = option(64, "steps of truncated backpropagation", above=0)
    eval_batch_size: int = option(20, "rows in evaluation", above=0, below=2**16 + 1)

    training: Training = Training(epochs=5, learning_rate=5e-3, schedule="cosine")

    def __post_init__(self):
        super().__post_init__()
        runs = Cell if self.engine == "auto" else engines.ENGINES[self.engine].runs
        if not isinstance(self.make_cell(), runs):
            raise InputError(
                f"--engine={self.engine} needs the structure {runs.__name__}, which"
                f" --cell={self.cell} has not; use --engine=scan."
            )
        if self.tied and self.embedding not in (None, self.features):
            raise InputError(
                f"--tied needs --embedding to equal --features={self.features}, got"
                f" {self.embedding}; leave --embedding out."
            )

    def make_cell(self) -> Cell[Any]:
        """Returns one layer's cell.

        Raises:
            InputError: the cell refuses the number of units, or has no forget bias.
        """
        try:
            cell = CELLS[self.cell](self.features)
        except ValueError as error:
            raise InputError(
                f"--cell={self.cell} refuses --features={self.features}: {error}"
            ) from error
        if self.forget_bias is None:
            return cell
        if all(field.name != "forget_bias" for field in dataclasses.fields(cell)):
            raise InputError(
                f"--forget_bias needs a cell with a forget gate's bias, such as lstm,"
                f" got --cell={self.cell}; leave it out."
            )
        return dataclasses.replace(cell, forget_bias=self.forget_bias)
