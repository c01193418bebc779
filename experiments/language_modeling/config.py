"""The settings of a language model."""

import dataclasses
from typing import Any, ClassVar

import jax

from experiments.language_modeling.body import Body
from experiments.language_modeling.outputs import OutputLayer
from experiments.language_modeling.regularization import Regularization
from experiments.language_modeling.source import Source
from rnnlab import engines
from rnnlab.cell import Cell
from rnnlab.cells import CELLS
from rnnlab.errors import InputError
from rnnlab.options import option, with_numbers
from rnnlab.training.settings import Training
from rnnlab.wrappers import inside


@dataclasses.dataclass(frozen=True)
class Config(Source):
    """Text, network and training; the defaults suit two cores and three minutes.

    Attributes:
        traced: numbers that a program may take as arrays: see `LanguageTask.vary`.
    """

    traced: ClassVar[tuple[str, ...]] = ("dropout",)

    body: Body = option(Body(), "", later=True)
    cell: str = option("lstm", "what a step computes", choices=CELLS)
    cell_options: str | None = option(
        None, "numbers of the cell, such as rounds=5,rank=84", later=True, listed=True
    )
    forget_bias: float | None = option(
        None, "of the forget gate at first; by default the cell's own", later=True
    )
    engine: str = option(
        "auto",
        "how steps are executed; all give the same numbers, up to rounding",
        choices=("auto", *engines.ENGINES),
        free=True,
    )
    features: int = option(256, "units a layer", above=0, below=2**13 + 1)
    layers: int = option(1, "layers of the body", above=0, below=65)
    embedding: int | None = option(
        None, "features of a token; by default as features", above=0, below=1_000_000
    )
    last_features: int | None = option(
        None,
        "units of the last layer; by default as features",
        above=0,
        below=2**13 + 1,
        later=True,
    )
    tied: bool = option(False, "use the embedding as output weights")
    output: OutputLayer = option(OutputLayer(), "", later=True)
    dropout: float = option(
        0.0,
        "share dropped at each layer's input and at the end",
        least=0,
        below=1,
        soft=True,
    )
    regularization: Regularization = option(Regularization(), "", later=True)
    init_from: str | None = option(
        None,
        "workdir of a run whose best parameters to begin with; once this one has saved,"
        " it is not read any more",
        free=True,
        later=True,
    )
    vectors: str | None = option(
        None,
        "text file of word vectors (GloVe, word2vec, fastText) that the embedding"
        " begins with; once the run has saved, it is not read any more",
        free=True,
        later=True,
    )
    init_scale: float | None = option(
        None, "draw all parameters from [-init_scale, init_scale]", above=0
    )

    batch_size: int = option(32, "rows of text side by side", above=0)
    length: int = option(64, "steps of truncated backpropagation", above=0)
    length_buckets: int = option(
        1,
        "different lengths of windows, around --length as AWD-LSTM draws them; 1 for"
        " --length alone; each is compiled",
        above=0,
        below=65,
        later=True,
    )
    eval_batch_size: int = option(20, "rows in evaluation", above=0, below=2**16 + 1)

    training: Training = Training(epochs=5, learning_rate=5e-3, schedule="cosine")

    def __post_init__(self):
        super().__post_init__()
        self._check_tied()
        self.body.check_use(self, self.layers, self.features)
        if self.body.recurrent:
            self._check_cells()
        if self.vectors is not None and self.init_from is not None:
            raise InputError(
                f"--vectors must be left out with --init_from, which brings an"
                f" embedding, got {self.vectors}; leave one of them out."
            )

    def _check_cells(self) -> None:
        """Raises where cells cannot be made, or are not what the engine runs."""
        runs = Cell if self.engine == "auto" else engines.ENGINES[self.engine].runs
        cell = self.make_cells()[0]
        self._check_cell(inside(cell))
        if not isinstance(cell, runs):
            raise InputError(
                f"--engine={self.engine} needs the structure {runs.__name__}, which"
                f" --cell={self.cell} has not; use --engine=scan."
            )
        if self.forget_bias is not None and self.init_scale is not None:
            raise InputError(
                f"--forget_bias must be left out with --init_scale, which draws all"
                f" parameters, got {self.forget_bias}; leave one of them out."
            )

    def _check_cell(self, cell: Cell[Any]) -> None:
        """Raises where a cell cannot be a layer, or is not as fixed as it says."""
        if not cell.rows_apart:
            raise InputError(
                f"--cell must compute each row by itself, since a text is read in other"
                f" batches than it is learned in, got {self.cell}; take"
                f" layer_norm_lstm."
            )
        movers = self.training.movers
        if movers and not cell.trained:
            raise InputError(
                f"--cell={self.cell} needs --{movers[0]}=0, since its parameters are to"
                f" stay as they are drawn, got {getattr(self.training, movers[0])}."
            )

    def _check_tied(self) -> None:
        """Raises unless tied output weights meet as many features as they have."""
        project = self.output.project
        last = "features" if self.last_features is None else "last_features"
        name, meets = ("project", project) if project else (last, self.last)
        if self.tied and self.embedding not in (None, meets):
            raise InputError(
                f"--tied needs --embedding to equal --{name}={meets}, got"
                f" {self.embedding}; take --last_features={self.embedding} or"
                f" --project={self.embedding}."
            )

    @property
    def last(self) -> int:
        """Units of the last layer."""
        return self.last_features or self.features

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, from the input up."""
        return (self.features,) * (self.layers - 1) + (self.last,)

    @property
    def entry(self) -> int:
        """Features of a token's vector."""
        if self.embedding is not None:
            return self.embedding
        return (self.output.project or self.last) if self.tied else self.features

    @property
    def inputs(self) -> int:
        """Inputs that a convolution sees, or else a layer of cells."""
        return self.body.inputs(self.cell)

    def make_cells(self) -> tuple[Cell[Any], ...]:
        """Returns the cell of each layer, from the input up.

        Raises:
            InputError: the cell refuses the number of units, has no forget bias, or
                nothing to drop from.
        """
        made = {size: self._make_cell(size) for size in self.sizes}
        return tuple(made[size] for size in self.sizes)

    def _make_cell(self, features: int) -> Cell[Any]:
        """Returns a layer's cell, with what is done at each of its steps."""
        flag = "features" if features == self.features else "last_features"
        try:
            cell = CELLS[self.cell](features)
        except ValueError as error:
            raise InputError(
                f"--cell={self.cell} refuses --{flag}={features}: {error}"
            ) from error
        if self.cell_options is not None:
            given = self.cell_options
            cell = with_numbers("cell_options", cell, given, but=("features",))
        if self.forget_bias is not None:
            if all(field.name != "forget_bias" for field in dataclasses.fields(cell)):
                raise InputError(
                    f"--forget_bias needs a cell with a forget gate's bias, such as"
                    f" lstm, got --cell={self.cell}; leave it out."
                )
            cell = dataclasses.replace(cell, forget_bias=self.forget_bias)
        cell = self.regularization.wrap(self.cell, cell)
        self._check_weight_drop(cell)
        return cell

    def _check_weight_drop(self, cell: Cell[Any]) -> None:
        """Raises where there is no recurrent matrix to drop weights from."""
        if not self.regularization.weight_drop:
            return
        shapes = jax.eval_shape(lambda: cell.init(jax.random.key(0), 1))
        if "recurrent" not in shapes:
            raise InputError(
                f"--weight_drop needs a cell with a recurrent matrix, such as lstm, got"
                f" --cell={self.cell}; leave it out."
            )
