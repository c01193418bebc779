"""Merges by hand, for any text, from anyone, and without the library."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnnlab.data.subwords import LONGEST, Subword, whole_pieces
from rnnlab.data.tokenizers import from_json
from rnnlab.errors import InputError

WORDS = "the cat sat, the café's cat sat\n" * 3


def test_merges_worked_by_hand():
    # Pieces: ab, " ab" twice, " abc"; pairs: a-b 4 times, then space-ab 3 times, and
    # what is seen once is not merged.
    tok = Subword.fit(["ab ab ab abc"], 300)
    assert tok.merges == ((97, 98), (32, 256))
    assert tok.size == 258
    assert tok.encode("ab abc").tolist() == [256, 257, 99]
    assert Subword.fit(["ab ab ab abc"], 257).merges == ((97, 98),)


def test_one_token_from_two_pairs():
    tok = Subword(((97, 98), (98, 99), (256, 99), (97, 257), (258, 258)))
    assert tok.size == 260  # a-bc makes abc again
    assert tok.decode([258, 259]) == "abc" * 3
    assert tok.encode("abcabc").tolist() == [259]


def test_tokens_end():
    tok = Subword.fit(["a" * 1000], 300)
    lengths = [len(tok.decode([i])) for i in range(256, tok.size)]
    assert lengths == [2, 4, 8, 16, 32]  # the library stops before LONGEST
    assert max(lengths) < LONGEST


@settings(deadline=None)
@given(st.text())
@example("\0\r\n\x85 \u3000 \ufeff")
def test_any_text_comes_back(text):
    tok = Subword.fit([WORDS], 280)
    assert tok.decode(tok.encode(text).tolist()) == text


def test_text_that_utf8_cannot_hold():
    tok = Subword.fit([WORDS], 280)
    assert tok.decode(tok.encode("a\ud800\udfffb").tolist()) == "a\ufffd\ufffdb"


def test_a_stream_has_whole_characters():
    tok = Subword(())
    ids = [*"é😀".encode(), 0xC3]
    assert list(tok.stream(iter(ids))) == ["é", "😀", "\ufffd"]


@settings(deadline=None)
@given(st.text(" \n\t\r\x1c\u3000abs'1é😀"), st.lists(st.integers(1, 5), min_size=1))
def test_chunk_borders_do_not_matter(text, sizes):
    chunks, start = [], 0
    while start < len(text):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(text[start : start + size])
        start += size
    pieces = list(whole_pieces(chunks))
    assert "".join(pieces) == text
    tok = Subword.fit(pieces, 300)
    assert tok == Subword.fit([text], 300)
    ids = [i for piece in pieces for i in tok.encode(piece).tolist()]
    assert ids == tok.encode(text).tolist()


@pytest.mark.parametrize(
    "merges",
    [
        None,
        {},
        "ab",
        ["ab"],
        [7],
        [[97]],
        [[97, 98, 99]],
        [[97, 98.0]],
        [[True, 98]],
        [[97, -1]],
        [[97, 256]],
        [[97, 10**400]],
        [{"97": 1, "98": 2}],
        [[97, 97], *([i, i] for i in range(256, 300))],  # 2**45 bytes
    ],
)
def test_merges_from_anyone(merges):
    with pytest.raises(InputError, match="tokenizer of kind"):
        from_json({"kind": "subword", "merges": merges})


def test_json_gives_it_back():
    tok = Subword.fit([WORDS], 300)
    assert tok.size > 260
    assert from_json(json.loads(json.dumps(tok.to_json()))) == tok
    assert from_json(Subword(()).to_json()) == Subword(())


def test_without_the_library(monkeypatch):
    tok = Subword.fit([WORDS], 300)
    ids = tok.encode(WORDS).tolist()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    fresh = from_json(tok.to_json())
    assert fresh.decode(ids) == WORDS
    for ask in (lambda: Subword.fit([WORDS], 300), lambda: fresh.encode("a")):
        with pytest.raises(InputError, match=r"not installed; .*rnnlab\[subwords\]"):
            ask()


def test_hash_seed_and_threads_do_not_matter(tmp_path):
    code = (
        "from rnnlab.data.subwords import Subword;"
        "text = ''.join(f'w{i % 97}x{i % 89} ' for i in range(20_000));"
        "tok = Subword.fit([text], 600);"
        "print(tok.merges, tok.encode(text[:1000]).tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in [("0", "1"), ("1", "2"), ("2", "5")]
    }
    assert len(outputs) == 1
