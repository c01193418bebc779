"""A run that begins with another's parameters, on the same words or others."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from experiments.language_modeling.body import Body
from experiments.language_modeling.build import build
from experiments.language_modeling.config import Config
from launch import records, trained
from rnnlab.data import tokenizers
from rnnlab.errors import IncompatibleCheckpoint, InputError, RunError
from rnnlab.options import differences
from rnnlab.training import events, loop, step
from rnnlab.training.averaging import Averaging
from rnnlab.training.leaves import digest
from rnnlab.training.settings import Training
from rnnlab.training.start import started

TRAINING = Training(
    steps=2, eval_every=2, learning_rate=0.1,
    averaging=Averaging(average="asgd", nonmonotone=0),
)  # fmt: skip
CONFIG = Config(
    tokens="word", features=4, batch_size=2, length=5, training=TRAINING,
    fractions="50/50/0",
)  # fmt: skip
TEXTS = {"old": "a b c d e f g", "new": "d x b a y d d x"}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    for name, words in TEXTS.items():
        (folder / name).write_text(f"{words}\n" * 40)
    return folder


def config(corpora, name, **changes):
    cache = str(corpora / "cache")
    made = dataclasses.replace(CONFIG, data=str(corpora / name), cache_dir=cache)
    return dataclasses.replace(made, **changes)


@pytest.fixture(scope="module")
def source(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    fit(config(corpora, "old"), folder)
    return folder


def fit(of, folder):
    experiment = build(of)
    experiment.check()
    record = records.Record("language_modeling", of, experiment.record)
    folder.mkdir(exist_ok=True)
    return loop.fit(
        experiment.task, of.training, folder, record.to_json(), experiment.describe,
        experiment.targets,
    )  # fmt: skip


class Told:
    """A log that keeps what a person is told."""

    def tell(self, message, event, **fields):
        self.message, self.event = message, event


def begun(of):
    """Returns the state before the first step, and the line on it."""
    experiment, log = build(of), Told()
    experiment.check()
    state = step.init(experiment.task, of.training)
    return started(experiment.task, state, log), log.message


def test_with_the_same_words_it_begins_with_the_same_bits(corpora, source):
    """Of the mean, which is what a trained model is used with."""
    used = trained.restore(str(source)).state
    assert digest(used.params) == digest(used.average.params)
    state, told = begun(config(corpora, "old", init_from=str(source)))
    assert digest(state.params) == digest(state.used) == digest(used.params)
    assert told == f"the run begins with the parameters of {source}"


def test_words_that_both_know_keep_their_rows(corpora, source):
    old = trained.restore(str(source)).state.params
    known = {word: k for k, word in enumerate(tokenizer(source).words)}
    of = config(corpora, "new", init_from=str(source))
    words = tokenizers.from_json(build(of).record["tokenizer"]).words
    assert {*words} == {"a", "b", "d", "x", "y", "<eos>"}
    state, told = begun(of)
    assert told.endswith("it knows 4 of the 6 tokens, and 2 begin as its mean one")
    rows = [
        (lambda params: params["embedding"]),
        (lambda params: params["output"]["decoder"]),
        (lambda params: params["output"]["bias"]),
    ]
    for get in rows:
        before, after = np.asarray(get(old)), np.asarray(get(state.params))
        wanted = [before[known[w]] if w in known else before.mean(0) for w in words]
        np.testing.assert_allclose(after, wanted, rtol=1e-5)
    assert digest(state.params["stack"]) == digest(old["stack"])
    for leaf in jax.tree.leaves(state.optimizer):
        assert not leaf.any()


def test_other_heads_of_as_many_features_are_refused(corpora, tmp_path):
    attention = config(corpora, "old", features=8, body=Body("transformer", heads=4))
    fit(attention, tmp_path)
    same = dataclasses.replace(attention, init_from=str(tmp_path))
    build(same).check()
    other = dataclasses.replace(same, body=Body("transformer", heads=2))
    with pytest.raises(IncompatibleCheckpoint, match="--heads=4 there"):
        build(other).check()


def tokenizer(folder):
    record = trained.restore(str(folder)).record
    return tokenizers.from_json(record.data["tokenizer"])


# What the run asks for, and what it is told.
REFUSED = [
    (dict(features=5), IncompatibleCheckpoint, "same architecture, .*there, .*here"),
    (dict(layers=2), IncompatibleCheckpoint, r"Recurrent_1.*: \[\] there"),
    (dict(cell="peephole_lstm"), IncompatibleCheckpoint, "--cell=lstm"),
    (dict(tokens="char"), IncompatibleCheckpoint, "kind char, got .* on word; take"),
    (dict(init_from="nowhere"), InputError, "a trained run, but .*nowhere"),
]


@pytest.mark.parametrize(("changes", "error", "words"), REFUSED, ids=str)
@pytest.mark.parametrize("name", TEXTS)
def test_what_does_not_fit_is_refused_before_the_run(
    corpora, source, name, changes, error, words
):
    of = config(corpora, name, **{"init_from": str(source), **changes})
    experiment = build(of)  # what is trained can be used without its source
    with pytest.raises(error, match=words):
        experiment.check()


def test_a_run_that_has_begun_needs_its_source_no_more(corpora, source, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    of = config(corpora, "new", init_from=str(copy))
    state, _ = fit(of, tmp_path / "run")
    told = [event["event"] for event in events.read(tmp_path / "run")]
    assert told[:2] == ["started", "pretrained"] and told[-1] == "finished"
    shutil.rmtree(copy)
    with pytest.raises(RunError):
        build(of).check()
    alone = dataclasses.replace(of, init_from=None)
    assert not differences(of, alone)
    again, _ = fit(alone, tmp_path / "run")
    assert digest(again) == digest(state)


def test_an_empty_name_is_no_workdir(corpora):
    with pytest.raises(InputError, match="A folder is wanted"):
        build(config(corpora, "old", init_from="")).check()
