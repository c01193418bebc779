"""The layers between embedding and output, from the settings."""

from typing import Any

from experiments.language_modeling.config import Config
from rnnlab import engines
from rnnlab.nn import TCN, Blocks, Stack, Transformer, Windowed
from rnnlab.nn.parts import Layers


def make(config: Config) -> Layers:
    """Returns the module that `--body` names; dropout at its end is the model's own."""
    body = config.body
    drop: dict[str, Any] = {
        "dropout": config.dropout,
        "dropout_in": config.regularization.dropout_in,
        "variational": config.regularization.variational,
    }
    match body.body:
        case "tcn":
            return TCN(config.entry, config.sizes, config.inputs, **drop)
        case "transformer":
            size, span = config.features, body.span(config.length)
            return Transformer(size, config.layers, body.count, span, **drop)
    drop["weight_drop"] = config.regularization.weight_drop
    cells = config.make_cells()
    engine = (
        engines.auto(cells[0])
        if config.engine == "auto"
        else engines.ENGINES[config.engine]()
    )
    if body.body == "blocks":
        return Blocks(config.features, cells, engine, config.inputs, **drop)
    if config.inputs > 1:
        sizes = config.entry, *config.sizes[:-1]
        return Windowed(sizes, cells, config.inputs, engine, **drop)
    return Stack(cells, engine, dropout_out=0.0, **drop)
