"""Settings of a language model that are each possible, and are not together."""

import dataclasses

import pytest

from experiments.language_modeling.build import build
from experiments.language_modeling.config import Config
from experiments.language_modeling.regularization import Regularization
from rnnlab.cells import CELLS
from rnnlab.errors import InputError
from rnnlab.training.averaging import Averaging
from rnnlab.training.settings import Training

CLOCKS = [name for name, cell in CELLS.items() if not getattr(cell, "units", True)]


def fixed(**settings):
    return {"cell": "echo_state", "training": Training(**settings)}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cell": "batch_norm_lstm"}, "each row by itself.*take layer_norm_lstm"),
        (fixed(l1=1e-6), "echo_state needs --l1=0, .*got 1e-06"),
        (fixed(l2=1e-6), "echo_state needs --l2=0"),
        (fixed(gradient_noise=0.1), "echo_state needs --gradient_noise=0"),
        (fixed(optimizer="adamw"), "echo_state needs --weight_decay=0.*got 0.0001"),
        (fixed(optimizer="lion", weight_decay=1), "echo_state needs --weight_decay=0"),
    ],
)
def test_what_a_cell_cannot_be(settings, words):
    with pytest.raises(InputError, match=words):
        Config(**settings)


def test_what_is_fixed_may_be_trained_around():
    Config(**fixed(optimizer="adamw", weight_decay=0.0))
    Config(**fixed(weight_decay=0.1))  # Adam has none


@pytest.mark.parametrize("cell", CLOCKS)
@pytest.mark.parametrize("name", ["zoneout", "state_dropout"])
def test_clocks_are_neither_kept_nor_forgotten(cell, name):
    with pytest.raises(InputError, match=f"values of units alone.*--cell={cell};"):
        Config(cell=cell, regularization=Regularization(**{name: 0.1}))


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        ({"schedule": "plateau"}, "--schedule=plateau needs a split valid.*another"),
        ({"patience": 3}, "--patience=3 needs a split valid.*drop it"),
        ({"averaging": Averaging("asgd")}, "--average=asgd.*take --nonmonotone=0"),
    ],
)
def test_what_waits_for_a_validation_needs_one(waiting, words, corpus, tmp_path):
    config = Config(
        data=str(corpus),
        cache_dir=str(tmp_path),
        fractions="100/0/0",
        training=dataclasses.replace(Training(), **waiting),
    )
    with pytest.raises(InputError, match=words):
        build(config)
