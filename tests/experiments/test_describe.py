"""The figures of a loss, worked by hand for each kind of tokens."""

import math

import pytest

from experiments.language_modeling.build import build
from experiments.language_modeling.config import Config

TEXTS = {"train.txt": "a b\n" * 20, "valid.txt": "a a\n" * 20, "test.txt": "a b\n" * 20}


@pytest.fixture
def described(tmp_path):
    (tmp_path / "data").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "data" / name).write_text(text)

    def described(loss, *split, **settings):
        places = {"data": str(tmp_path / "data"), "cache_dir": str(tmp_path / "cache")}
        small = {"features": 2, "batch_size": 2, "length": 4}
        return build(Config(**settings, **places, **small)).describe(loss, *split)

    return described


@pytest.mark.parametrize(
    ("settings", "figures"),
    [
        ({"tokens": "char"}, {"bits_per_char": 3, "perplexity": 8}),
        ({"tokens": "byte"}, {"bits_per_byte": 3, "perplexity": 8}),
        ({"tokens": "word"}, {"perplexity": 8, "bits_per_word": 3}),
    ],
)
def test_what_a_token_is_says_what_is_quoted(described, settings, figures):
    assert described(math.log(8), "test", **settings) == pytest.approx(figures)


@pytest.mark.parametrize(
    ("split", "of_a_word", "of_a_byte"),
    [
        (("test",), 8, 9 / 4),  # "a", " b" and the line end: 3 tokens in 4 bytes
        (("valid",), 16, 3),  # " a" is two: 4 for 3 words
        ((), 16, 3),
    ],
)
def test_subwords_are_told_by_byte_and_word(described, split, of_a_word, of_a_byte):
    assert described(
        math.log(8), *split, tokens="subword", vocab_size=257
    ) == pytest.approx(
        {
            "perplexity_per_token": 8,
            "perplexity_per_word": of_a_word,
            "bits_per_byte": of_a_byte,
        }
    )


def test_a_loss_beyond_floats_has_a_perplexity(described):
    assert described(1e6, tokens="word")["perplexity"] < math.inf
