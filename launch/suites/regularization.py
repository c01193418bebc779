"""What each regulariser of a language model adds to its training step."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from experiments.language_modeling.task import LanguageTask
from launch.measuring.outcome import Measurement, Outcome, beside
from launch.measuring.turns import Run, in_turns
from launch.suites.lm import Shape, steps, stream
from rnnlab.cells import LSTM
from rnnlab.engines import auto
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.wrappers import recurrent_dropout, state_dropout, zoneout

SHAPES = (
    Shape(batch=20, steps=35, features=650, vocab_size=10_000),
    Shape(batch=20, steps=70, features=400, vocab_size=10_000),
)
LAYERS = 2
SECONDS = 0.4  # what each side gets of a turn


class Side(NamedTuple):
    """What is added to a step: to each cell, the layers, the model, the output."""

    cell: Callable[[Any], Any] = lambda cell: cell
    stack: Mapping[str, Any] = {}
    model: Mapping[str, Any] = {}
    smoothing: float = 0.0


VARIATIONAL = {"variational": True}
# Where AWD-LSTM has a rate, it is that.
SIDES: Mapping[str, Side] = {
    "nothing": Side(),
    "dropout at each step": Side(stack={"dropout": 0.4}, model={"dropout_out": 0.4}),
    "variational dropout": Side(
        stack={"dropout": 0.4} | VARIATIONAL, model={"dropout_out": 0.4} | VARIATIONAL
    ),
    "weight drop": Side(stack={"weight_drop": 0.5}),
    "recurrent dropout": Side(lambda cell: recurrent_dropout(cell, 0.4)),
    "state dropout": Side(lambda cell: state_dropout(cell, 0.1)),
    "zoneout": Side(lambda cell: zoneout(cell, 0.1)),
    "embedding dropout": Side(model={"embedding_dropout": 0.1}),
    "token dropout": Side(model={"token_dropout": 0.1}),
    "label smoothing": Side(smoothing=0.1),
    "AR and TAR": Side(model={"ar": 2.0, "tar": 1.0}),
    "all of AWD-LSTM": Side(
        stack={"dropout": 0.25, "dropout_in": 0.4, "weight_drop": 0.5} | VARIATIONAL,
        model={"dropout_out": 0.4, "embedding_dropout": 0.1, "ar": 2.0, "tar": 1.0}
        | VARIATIONAL,
    ),
}


def measure(repeats: int, shapes: tuple[Shape, ...] = SHAPES) -> Outcome:
    """Returns times of the step as multiples of that without any, in turns."""
    rows: list[str] = []
    measurements: list[Measurement] = []
    for shape in shapes:
        taken = in_turns({name: ready(shape, name) for name in SIDES}, repeats, SECONDS)
        for one, times in beside("nothing", {"model": str(shape)}, "with", taken):
            measurements += [one, times]
            rows.append(
                f"| {shape} | {one.what['with']} | {1e3 * one.median:,.0f}"
                f" | {times.median:.2f} | {times.low:.2f} to {times.high:.2f} |"
            )
    lines = [
        f"Milliseconds of the training step of a language model of {LAYERS} LSTM"
        f" layers, as in the suite `lm` but tied, with one regulariser or all, and"
        f" these as multiples of the step without. Medians and quartiles of {repeats}"
        f" turns.",
        "",
        "| B, T, H, V | with | ms | times without | quartiles |",
        "|---|---|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def ready(shape: Shape, name: str) -> Run:
    """Returns a training step with a regulariser, on the next batch."""
    side = SIDES[name]
    cells = (side.cell(LSTM(shape.features)),) * LAYERS
    stack = Stack(cells, auto(cells[0]), **{"dropout_out": 0.0, **side.stack})
    output = Softmax(shape.vocab_size, tied=True, smoothing=side.smoothing)
    model = LanguageModel(shape.features, stack, output, **side.model)
    return steps(LanguageTask(model, {"train": stream(shape)}, {"train": shape.batch}))
