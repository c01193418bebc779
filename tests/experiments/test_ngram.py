"""The n-gram baseline on a corpus, and as a command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.language_modeling.kneser_ney import KneserNey
from experiments.language_modeling.ngram import NGram, measure
from rnnlab.errors import InputError

TEXT = "the cat sat on the mat, and the dog lay on the cat\n" * 9 + "a mouse ran\n" * 9


@pytest.fixture
def places(tmp_path):
    (tmp_path / "text").write_text(TEXT)
    return {"data": str(tmp_path / "text"), "cache_dir": str(tmp_path / "cache")}


@pytest.mark.parametrize(
    ("tokens", "vocab_size", "figure", "of"),
    [
        ("char", None, "bits_per_char", lambda loss: loss / np.log(2)),
        ("byte", None, "bits_per_byte", lambda loss: loss / np.log(2)),
        ("word", None, "perplexity", np.exp),
        ("subword", 270, "perplexity_per_token", np.exp),
    ],
)
def test_figures_of_both_splits(places, tokens, vocab_size, figure, of):
    asked = NGram(**places, tokens=tokens, vocab_size=vocab_size, order=3)
    found, corpus = measure(asked), asked.corpus()
    model = KneserNey.fit(corpus.splits["train"], corpus.tokenizer.size, 3)
    assert (found["order"], found["ngrams"]) == (3, model.size)
    assert found["bytes"] == model.memory
    for split in ("valid", "test"):
        p = model.probabilities(np.array(corpus.splits[split]))
        assert len(p) == len(corpus.splits[split]) - 1
        assert found[split]["loss"] == pytest.approx(-np.log(p).mean())
        assert found[split][figure] == pytest.approx(of(found[split]["loss"]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": 0}, "--order must be above 0, got 0"),
        ({"order": 10**6}, r"1 to the \d+ tokens of the text, got 1000000"),
        ({"fractions": "1/0/0"}, "--data has none but train; .*--fractions"),
        (
            {"fractions": "999/1/0", "tokens": "char"},
            "--data has fewer for valid; .*--fractions",
        ),
        ({"data": "nope"}, "'nope' does not exist"),
        ({"tokens": "subword"}, "vocab_size is missing; .*--vocab_size"),
    ],
)
def test_what_cannot_be_measured(places, settings, message):
    with pytest.raises(InputError, match=message):
        measure(NGram(**{**places, "tokens": "word"} | settings))


def test_the_command_keeps_what_it_prints(places, tmp_path):
    flags = [f"--{name}={value}" for name, value in places.items()]
    folder = tmp_path / "new" / "workdir"
    ended = subprocess.run(
        [sys.executable, "-m", "launch.ngram", *flags, f"--workdir={folder}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ended.stdout)
    assert ended.stderr == ""
    assert found == json.loads((folder / "ngram.json").read_text())
    same = measure(NGram(**places))
    assert all(same[name] == found[name] for name in same.keys() - {"seconds"})
    assert {"commit", "device", "seconds"} <= found.keys()
