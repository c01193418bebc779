"""Bodies of a language model from their flags: refused, or equal in size."""

import dataclasses
from pathlib import Path

import jax
import pytest
from absl import flags

from experiments.language_modeling import build
from experiments.language_modeling.body import Body
from experiments.language_modeling.config import Config
from experiments.language_modeling.depths import depths
from experiments.language_modeling.regularization import Regularization
from launch.flags import define, parse, read
from rnnlab.data.tokenizers import Char
from rnnlab.errors import InputError

EQUAL = Path(build.__file__).parent / "equal"
TEXT_SIZE = 103  # different characters of the language reference of Python 3.11
TCN, TRANSFORMER = Body("tcn"), Body("transformer")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"body": TCN, "cell": "gru"}, "--cell has no place in --body=tcn"),
        ({"body": TRANSFORMER, "engine": "scan"}, "--engine has no place"),
        ({"body": TCN, "regularization": Regularization(zoneout=0.1)}, "--zoneout has"),
        ({"body": TRANSFORMER, "last_features": 8}, "--last_features has no place"),
        ({"body": Body("blocks"), "last_features": 8}, "--last_features has no place"),
        ({"body": TCN, "layers": 20}, "65536 tokens back, got --layers=20 and --ker"),
        ({"body": TRANSFORMER, "features": 36}, "twice its --heads=4, got 36.*=40"),
        ({"body": TCN, "tied": True, "embedding": 3}, "--tied needs"),
        ({"body": Body("blocks"), "cell": "lstm", "engine": "chunked"}, "LinearCell"),
    ],
)
def test_what_a_body_has_no_use_for_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        Config(**settings)


@pytest.mark.parametrize(
    ("body", "name", "wanted"),
    [
        ("transformer", "kernel", "another --body"),
        ("blocks", "heads", "--body=transformer"),
        ("blocks", "context", "--body=transformer"),
    ],
)
def test_what_no_body_asked_for_uses_is_refused(body, name, wanted):
    with pytest.raises(InputError, match=f"--{name} needs {wanted}, .*={body}; leave"):
        Body(body, **{name: 2})


@pytest.mark.parametrize(
    ("body", "cell", "kernel", "inputs"),
    [
        *[("recurrent", "lstm", None, 1), ("recurrent", "lstm", 2, 2)],
        *[("recurrent", "qrnn", None, 2), ("recurrent", "qrnn", 3, 3)],
        *[("blocks", "qrnn", None, 4), ("blocks", "lru", 2, 2), ("tcn", "lstm", 5, 5)],
    ],
)
def test_what_layers_see_at_a_step(body, cell, kernel, inputs):
    config = Config(body=Body(body, kernel), cell=cell, features=6, embedding=5)
    task = build.rebuild(config, {"tokenizer": Char("ab", False).to_json()})
    sizes = {shape.shape for shape in jax.tree.leaves(task.model.initial((7,)))}
    assert config.inputs == inputs
    if inputs > 1 and body != "tcn":
        assert (7, inputs - 1, 5 if body == "recurrent" else 6) in sizes
    else:
        assert body == "tcn" or sizes == {(7, 6)}


@pytest.mark.parametrize("body", ["tcn", "transformer", "blocks"])
def test_each_parameter_knows_its_layer(body):
    config = Config(body=Body(body), features=8, layers=3, embedding=5)
    task = build.rebuild(config, {"tokenizer": Char("ab", False).to_json()})
    params = jax.eval_shape(task.init, jax.random.key(0))
    found = depths(params, tied=False)
    assert found["embedding"] == 4
    for name, inside in found["stack"].items():
        last = name[-1] if name != "entry" else 0
        assert {*jax.tree.leaves(inside)} == {3 - int(last)}
    assert {*jax.tree.leaves(found["stack"])} == {1, 2, 3}


def read_file(name):
    known = flags.FlagValues()
    flags.DEFINE_string("experiment", None, "", flag_values=known)
    define(Config(), known)
    parse(["run", f"--flagfile={EQUAL / name}.flags"], known)
    return read(Config, known)


@pytest.mark.parametrize("name", sorted({f.stem for f in EQUAL.iterdir()} - {"common"}))
def test_bodies_that_are_compared_have_as_many_parameters(name, monkeypatch):
    monkeypatch.chdir(EQUAL.parents[2])
    config = read_file(name)
    shared = read_file("common")
    same = {n: getattr(shared, n) for n in ("tokens", "batch_size", "length")}
    assert dataclasses.replace(config, **same) == config
    rate = config.training.learning_rate
    assert dataclasses.replace(shared.training, learning_rate=rate) == config.training
    tokenizer = Char("".join(map(chr, range(32, 32 + TEXT_SIZE))), False)
    task = build.rebuild(config, {"tokenizer": tokenizer.to_json()})
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    assert count == pytest.approx(1.5e6, rel=0.02)
