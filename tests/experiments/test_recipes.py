"""Published language models as flag files: their sizes, schedules and regularisers."""

import math
from pathlib import Path

import jax
import numpy as np
import pytest
from absl import flags

import experiments.language_modeling
from experiments.language_modeling.build import rebuild
from experiments.language_modeling.config import Config
from launch.flags import define, parse, read
from rnnlab.options import flat
from rnnlab.training.schedules import SCHEDULES

FOLDER = Path(experiments.language_modeling.__file__).parent
TREEBANK, WIKITEXT = 10_000, 33_278  # words

# Millions of parameters that are printed, by words of the vocabulary.
PRINTED = {
    "zaremba_small": {TREEBANK: 4.65},  # Press and Wolf 2017, table 5: 4.6 M
    "zaremba_medium": {TREEBANK: 19.8},  # Gal and Ghahramani 2016, table 1: 20 M
    "zaremba_large": {TREEBANK: 66.0},  # 66 M, both
    "awd_lstm": {TREEBANK: 24.2, WIKITEXT: 33.5},  # Merity et al.: 24 M and 33 M
    "awd_lstm_small": {WIKITEXT: 15.9},  # ours, says the file
    "melis_lstm": {TREEBANK: 24.0},
    "mogrifier": {TREEBANK: 24.0},
}


def recipe(name):
    """Returns the settings of a flag file, and its words."""
    known = flags.FlagValues()
    flags.DEFINE_string("experiment", "", "", flag_values=known)
    define(Config(), known)
    parse(["launch.run", f"--flagfile={FOLDER / name}.flags"], known)
    return read(Config, known)


FILES = sorted(file.stem for file in FOLDER.glob("*.flags") if file.stem != "ranges")


@pytest.mark.parametrize("name", FILES)
def test_each_recipe_can_be_read(name):
    assert recipe(name).training.epochs > 1
    text = (FOLDER / f"{name}.flags").read_text()
    assert text.startswith("#") and "--experiment=language_modeling\n" in text


def count(config, words):
    """Returns the parameters of the model, in millions."""
    tokens = {"kind": "word", "words": [str(word) for word in range(words)]}
    task = rebuild(config, {"tokenizer": tokens})
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) / 1e6


@pytest.mark.parametrize("name", PRINTED)
def test_parameters_are_as_many_as_printed(name):
    for words, millions in PRINTED[name].items():
        assert abs(count(recipe(name), words) - millions) < 0.05


@pytest.mark.parametrize("name", ["melis_lstm", "mogrifier"])
def test_no_more_units_would_keep_to_24_million(name):
    config = recipe(name)
    assert count(config, TREEBANK) <= 24
    more = type(config)(**{**vars(config), "features": config.features + 1})
    assert count(more, TREEBANK) > 24


def zaremba(decay, full, steps, norm, epochs, scale, dropout, units):
    """As the paper has it, by epoch; the loss there is a sum over the steps."""
    return {
        "rate": [steps * decay ** max(0, e + 1 - full) for e in range(epochs)],
        "clip_norm": norm / steps,
        "length": steps,
        "init_scale": scale,
        "dropout": dropout,
        "variational": False,
        "l2": 0.0,
        "features": units,
        "layers": 2,
        "batch_size": 20,
        "optimizer": "sgd",
        "momentum": 0.0,
    }


def tuned(rate, l2, input, between, state, output):
    """As lamb's trials have it; the loss there is a sum over the 70 steps of a row."""
    return {
        "layers": 2,
        "length": 70,
        "batch_size": 64,
        "learning_rate": rate,
        "schedule": "constant",
        "optimizer": "rmsprop",
        "smoothing": 0.999,
        "clip_norm": 10 / 70,
        "l2": l2 / 70,
        "dropout_in": input,
        "dropout": between,
        "dropout_out": output,
        "recurrent_dropout": state,
        "variational": False,  # but the mask of the state is one for all steps
        "tied": True,
    }


PAPERS = {
    "zaremba_small": zaremba(1 / 2, 4, 20, 5, 13, 0.1, 0.0, 200),
    "zaremba_medium": zaremba(1 / 1.2, 6, 35, 5, 39, 0.05, 0.5, 650),
    "zaremba_large": zaremba(1 / 1.15, 14, 35, 10, 55, 0.04, 0.65, 1500),
    "awd_lstm": {
        "rate": [30.0] * 500,
        "clip_norm": 0.25,
        "length": 70,
        "layers": 3,
        "features": 1150,
        "last_features": 400,
        "embedding": 400,
        "tied": True,
        "variational": True,
        "weight_drop": 0.5,
        "dropout_in": 0.4,
        "dropout": 0.25,
        "dropout_out": 0.4,
        "embedding_dropout": 0.1,
        "ar": 2.0,
        "tar": 1.0,
        "l2": 1.2e-6,
        "batch_size": 20,
        "eval_batch_size": 10,
        "optimizer": "sgd",
        "average": "asgd",
        "nonmonotone": 5,
        "length_buckets": 8,
    },
    "melis_lstm": tuned(
        3.03691e-3, 2.49081e-4, 0.627563, 0.306993, 0.369223, 0.690171
    ) | {"cell": "lstm", "features": 951},
    "mogrifier": tuned(
        2.29999e-3, 2.52353e-4, 0.729079, 0.290982, 0.387294, 0.715669
    ) | {"cell": "mogrifier_lstm", "features": 912},
    "char_rnn": {
        "rate": [2e-3 * 0.97 ** max(0, e + 1 - 10) for e in range(50)],
        "clip_value": 5 / 50,  # the loss is a sum over the steps there
        "clip_norm": None,
        "length": 50,
        "layers": 2,
        "features": 128,
        "batch_size": 50,
        "dropout": 0.0,
        "cell": "lstm",
        "optimizer": "rmsprop",
        "smoothing": 0.95,
        "tokens": "char",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_settings_are_the_paper_s(name):
    config, wanted = recipe(name), dict(PAPERS[name])
    rates = wanted.pop("rate", None)
    if rates is not None:
        epoch = 10  # steps
        training = config.training
        schedule = SCHEDULES[training.schedule]
        rate = schedule(training, epoch * len(rates), epoch)
        assert training.epochs == len(rates)
        begun = [rate(epoch * e) for e in range(len(rates))]
        np.testing.assert_allclose(begun, rates, rtol=1e-4)
    found = flat(config)
    for key, value in wanted.items():
        if isinstance(value, float):
            np.testing.assert_allclose(found[key], value, rtol=2e-3, err_msg=key)
        else:
            assert found[key] == value, key


def test_the_gates_of_a_mogrifier_are_products():
    _, cell = recipe("mogrifier").make_cells()
    params = jax.eval_shape(lambda: cell.init(jax.random.key(0), 912))
    shapes = {name: params[name].shape for name in ("q", "q_out", "r", "r_out")}
    assert shapes == {
        "q": (3, 912, 84),
        "q_out": (3, 84, 912),
        "r": (2, 912, 84),
        "r_out": (2, 84, 912),
    }
