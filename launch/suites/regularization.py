"""What each regulariser of a language model adds to its training step."""

from collections.abc import Mapping
from typing import Any

from experiments.language_modeling.task import LanguageTask
from launch.measuring.outcome import Measurement, Outcome, beside
from launch.measuring.turns import Run, in_turns
from launch.suites.lm import Shape, steps, stream
from rnnlab.cells import LSTM
from rnnlab.engines import auto
from rnnlab.nn import LanguageModel, Softmax, Stack

SHAPES = (
    Shape(batch=20, steps=35, features=650, vocab_size=10_000),
    Shape(batch=20, steps=70, features=400, vocab_size=10_000),
)
LAYERS = 2
SECONDS = 0.4  # what each side gets of a turn
# What a side has, of the layers and of the model; rates are those of AWD-LSTM.
SIDES: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "nothing": ({}, {}),
    "dropout at each step": ({"dropout": 0.4}, {"dropout_out": 0.4}),
    "variational dropout": (
        {"dropout": 0.4, "variational": True},
        {"dropout_out": 0.4, "variational": True},
    ),
    "weight drop": ({"weight_drop": 0.5}, {}),
    "embedding dropout": ({}, {"embedding_dropout": 0.1}),
    "AR and TAR": ({}, {"ar": 2.0, "tar": 1.0}),
    "all of AWD-LSTM": (
        {"dropout": 0.25, "dropout_in": 0.4, "variational": True, "weight_drop": 0.5},
        {
            "dropout_out": 0.4,
            "variational": True,
            "embedding_dropout": 0.1,
            "ar": 2.0,
            "tar": 1.0,
        },
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
    of_layers, of_model = SIDES[name]
    cells = (LSTM(shape.features),) * LAYERS
    stack = Stack(cells, auto(cells[0]), **{"dropout_out": 0.0, **of_layers})
    model = LanguageModel(
        shape.features, stack, Softmax(shape.vocab_size, tied=True), **of_model
    )
    return steps(LanguageTask(model, {"train": stream(shape)}, {"train": shape.batch}))
