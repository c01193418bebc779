"""An embedding that begins with vectors from a file."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.language_modeling.body import Body
from experiments.language_modeling.build import build
from experiments.language_modeling.config import Config
from rnnlab.data import vectors
from rnnlab.errors import InputError
from rnnlab.training import events, step
from rnnlab.training.start import started

CONFIG = Config(tokens="word", features=2, batch_size=2, length=5)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "text").write_text("a b c d\n" * 60)
    (tmp_path / "vectors").write_text("5 2\nx 9 9\nb 1 2\nd -3 4.5e0\nb 7 7\n")
    return dataclasses.replace(
        CONFIG,
        data=str(tmp_path / "text"),
        cache_dir=str(tmp_path / "cache"),
        vectors=str(tmp_path / "vectors"),
    )


def test_known_words_have_their_vectors_and_the_others_are_drawn(config, tmp_path):
    experiment = build(config)
    experiment.check()
    task = experiment.task
    drawn = step.init(task, config.training)
    state = started(task, drawn, events.Events(tmp_path))
    words = experiment.record["tokenizer"]["words"]
    ids = {word: words.index(word) for word in "bd"}
    found = np.asarray(state.params["embedding"])
    assert found[ids["b"]].tolist() == [1, 2] and found[ids["d"]].tolist() == [-3, 4.5]
    rest = [k for k in range(len(words)) if k not in ids.values()]
    old = np.asarray(drawn.params["embedding"])
    np.testing.assert_array_equal(found[rest], old[rest])
    same = jax.tree.map(np.array_equal, state.params["stack"], drawn.params["stack"])
    assert all(jax.tree.leaves(same))
    (row,) = events.read(tmp_path)
    assert row["event"] == "pretrained"
    assert row["told"].startswith("the embedding begins with 2 vectors of ")
    assert row["told"].endswith("; the other 3 are drawn")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("b 1 2 3\nd 1 2 3\n", "2 numbers in each line.*got 3 in line 1"),
        ("b 1 2\nd 1\n", "got 1 in line 2"),
        ("b 1 nan\n", "not finite in line 1"),
        ("b 1 two\n", "could not convert.*line 1"),
        ("x 1 2\n", "has none of 5"),
        ("", "has none of 5"),
    ],
)
def test_a_file_that_does_not_fit_is_named(config, text, wanted):
    with open(config.vectors, "w") as file:
        file.write(text)
    with pytest.raises(InputError, match=rf"^--vectors must [^\n]*{wanted}"):
        build(config).check()


def test_a_missing_file_is_named(config):
    with pytest.raises(InputError, match="--vectors must be a file"):
        build(dataclasses.replace(config, vectors="/nowhere")).check()


def test_a_word_may_hold_spaces_and_bytes_that_are_no_text(tmp_path):
    file = tmp_path / "vectors"
    file.write_bytes(b"\xff 1 2\nx 0 0\na b 3 4\nc 5 6 \n")
    found = vectors.read(str(file), {"a b": 7, "c": 1}, 2)
    assert {k: v.tolist() for k, v in found.items()} == {7: [3, 4], 1: [5, 6]}


@pytest.mark.parametrize("body", ["recurrent", "blocks", "tcn", "transformer"])
def test_two_beginnings_are_one_too_many(body):
    with pytest.raises(InputError, match="--vectors must be left out with --init_from"):
        Config(body=Body(body), vectors="a", init_from="b")
