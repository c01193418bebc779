"""Text to ids and back, by hand-worked numbers and for any text."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnnlab.data.members import Member
from rnnlab.data.tokenizers import (
    TOKENIZERS,
    Byte,
    Char,
    Subword,
    Word,
    from_json,
    whole_words,
)
from rnnlab.errors import InputError

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
cuts = st.lists(st.integers(1, 5), min_size=1)


def pieces(data, sizes):
    """Cuts text or bytes into pieces of the given sizes, over and over."""
    start = k = 0
    while start < len(data):
        yield data[start : start + sizes[k % len(sizes)]]
        start, k = start + sizes[k % len(sizes)], k + 1


def test_char_ids_are_sorted_code_points():
    tok = Char.fit(["hé\n", "hall😀"])
    assert tok.characters == "\nahlé😀"
    assert tok.encode("hall\n").tolist() == [2, 1, 3, 3, 0]
    assert tok.size == 6 and tok.with_unknown().size == 7
    assert tok.with_unknown().encode("hxh").tolist() == [2, 6, 2]
    assert tok.with_unknown().decode([2, 6]) == "h\ufffd"
    assert tok.unknown("axbx\ud800") == ["x", "b", "\ud800"]
    with pytest.raises(InputError, match="'x'.* not in it"):
        tok.encode("ax")


def test_word_ids_by_frequency_then_word():
    tok = Word.fit(["b a b\r\n\n", "c a\n"])
    assert tok.words == ("<eos>", "a", "b", "c")  # 3, 2, 2, 1
    assert tok.encode("a b\n\nc").tolist() == [1, 2, 0, 0, 3]
    assert tok.decode([1, 2, 0, 0, 3, 1]) == "a b\n\nc a"
    assert tok.unknown("x a y x") == ["x", "y"]
    assert tok.with_unknown().encode("x a").tolist() == [4, 1]
    with pytest.raises(InputError, match="'x'.* not in it"):
        tok.encode("x")


def test_word_cap_makes_room_for_unknown():
    text = ["a a a a b b b c c d\n"]
    assert Word.fit(text, 3).words == ("<unk>", "a", "b")  # for c c d <eos>: 4 in all
    assert Word.fit(text, 4).words == ("a", "b", "<unk>", "c")
    assert Word.fit(text, 99).words == ("a", "b", "c", "<eos>", "d")
    assert Word.fit(["<unk> <unk> a b\n"], 2).words == ("<unk>", "<eos>")
    for size in (1, 0, -3):
        with pytest.raises(InputError, match=rf"vocab_size is {size}; .*--vocab_size"):
            Word.fit(text, size)


@pytest.mark.parametrize("kind", [Char, Byte])
def test_only_words_take_a_cap(kind):
    with pytest.raises(InputError, match="vocab_size is for words.*--tokens=word"):
        kind.fit([], 10)


def test_byte_stream_waits_for_whole_characters():
    ids = [*"é".encode(), 0xFF, ord("a"), 0xC3]
    assert list(Byte().stream(iter(ids))) == ["é", "\ufffd", "a", "\ufffd"]


@settings(deadline=None)
@given(texts)
@example("\r")  # text, and no word
def test_round_trips(text):
    for tok in (Char.fit([text]), Byte(), Word.fit([text]), Subword.fit([text], 300)):
        ids = tok.encode(text)
        assert ids.dtype == np.int32 and (ids < tok.size).all()
        decoded = tok.decode(ids.tolist())
        assert tok.encode(decoded).tolist() == ids.tolist()
        assert tok.unknown(text) == []
        if tok.size:
            assert from_json(json.loads(json.dumps(tok.to_json()))) == tok
        else:
            with pytest.raises(InputError, match="tokenizer of kind"):
                from_json(tok.to_json())
        if not isinstance(tok, Word):
            assert decoded == text


@settings(deadline=None)
@given(st.text(" \n\rab\x85é"), cuts)
def test_chunk_borders_do_not_matter(text, sizes):
    data = text.encode()
    member = Member("m", lambda start: pieces(data[start:], sizes))
    assert "".join(member.text()) == text
    ended = text if text.endswith("\n") or not text else text + "\n"
    blocks = list(whole_words(member.text()))
    assert "".join(blocks) == ended
    tok = Word.fit(blocks)
    assert tok == Word.fit([ended])
    ids = [i for block in blocks for i in tok.encode(block).tolist()]
    assert ids == tok.encode(ended).tolist()


@settings(deadline=None)
@given(st.text("aé😀"), st.sampled_from([b"\xff", b"\xc3(", b"\xed\xa0\x80"]), cuts)
def test_a_bad_byte_is_found_at_its_offset(text, bad, sizes):
    good = b"\xef\xbb\xbf" + text.encode()
    member = Member("m.txt", lambda start: pieces(good + bad + b"x", sizes))
    with pytest.raises(
        InputError, match=rf"m.txt .*offset {len(good)};.*--tokens=byte"
    ):
        list(member.text())


@settings(deadline=None)
@given(cuts)
def test_truncated_character_nul_and_byte_order_mark(sizes):
    def member(data):
        return Member("m", lambda start: pieces(data[start:], sizes))

    with pytest.raises(InputError, match="offset 2;"):
        list(member(b"ab\xe2\x82").text())
    with pytest.raises(InputError, match="binary, with a NUL byte at offset 3;"):
        list(member(b"abc\0d").text())
    marked = "\ufeffa\ufeffb"
    assert "".join(member(marked.encode()).text()) == "a\ufeffb"


@pytest.mark.parametrize("data", [{}, {"kind": "bpe"}, {"kind": "char"}])
def test_from_json_refuses(data):
    with pytest.raises(InputError, match="char, word, byte, subword was wanted"):
        from_json(data)


def test_the_table_names_every_kind():
    assert all(tokenizer.kind == name for name, tokenizer in TOKENIZERS.items())
