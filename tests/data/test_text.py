"""What `--data` may name, and each way in which it may be wrong."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from rnnlab.data import archives, text
from rnnlab.errors import InputError

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def load(tmp_path):
    def load(source, *args, **options):
        return text.load(
            str(source), *args, cache_dir=str(tmp_path / "cache"), **options
        )

    return load


def decoded(corpus):
    decode = corpus.tokenizer.decode
    return {split: decode(ids.tolist()) for split, ids in corpus.splits.items()}


def tar(path, members, **kinds):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kinds.get("type", tarfile.REGTYPE)
            info.linkname = kinds.get("linkname", "")
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def folder(path, members):
    for name, content in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def shared(name):
    path = SHARED / name / f"{name}.tar.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def test_the_embedded_text(load):
    from pydoc_data import topics

    expected = "".join(topics.topics[key] for key in sorted(topics.topics))
    corpus = load("", "byte")
    assert "".join(decoded(corpus).values()) == expected
    assert corpus.sha256["whole"] == hashlib.sha256(expected.encode()).hexdigest()


def test_a_python_without_it(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data", None)
    with pytest.raises(InputError, match="built without it; .* --data"):
        load("")


def test_a_file_is_split_by_position(load, tmp_path):
    path = tmp_path / "text"
    path.write_text("0123456789" * 10)
    lengths = {k: len(v) for k, v in load(path).splits.items()}
    assert lengths == {"train": 90, "valid": 5, "test": 5}
    lengths = {k: len(v) for k, v in load(path, fractions=(0.9, 0.1, 0)).splits.items()}
    assert lengths == {"train": 90, "valid": 10}
    assert decoded(load(path, fractions=(1, 0, 0))) == {"train": "0123456789" * 10}
    path.write_text("é" * 10)  # the byte in the middle of a character is not cut at
    assert decoded(load(path, fractions=(0.55, 0.45, 0))) == {
        "train": "é" * 6,
        "valid": "é" * 4,
    }


def test_words_are_cut_after_a_line_or_a_word(load, tmp_path):
    path = tmp_path / "text"
    path.write_text("a b\n" * 6 + "b a\n" * 4)  # 55 % end inside the sixth line
    assert decoded(load(path, "word", fractions=(0.55, 0.45, 0))) == {
        "train": "a b\n" * 6,
        "valid": "b a\n" * 4,
    }
    assert decoded(load(path, "subword", 300, fractions=(0.55, 0.45, 0))) == {
        "train": "a b\n" * 6,
        "valid": "b a\n" * 4,
    }
    path.write_text("aa bb cc aa bb")  # 60 % end inside cc, and no line follows
    assert decoded(load(path, "word", fractions=(0.5, 0.5, 0))) == {
        "train": "aa bb cc\n",
        "valid": "aa bb\n",
    }


def test_the_extents_of_a_text_of_subwords(load, tmp_path):
    members = {"train": "é b\nb".encode(), "test": b"\xef\xbb\xbfb b \n\nb\n"}
    data = folder(tmp_path / "data", members)
    for _ in range(2):  # made, and found
        found = load(data, "subword", 300)
        assert found.extents == {"train": (6, 5), "test": (8, 6)}
    words = load(data, "word")
    assert {k: len(ids) for k, ids in words.splits.items()} == {"train": 5, "test": 6}
    assert words.extents == {}


def test_unknown_symbols_come_only_where_needed(load, tmp_path):
    same = folder(tmp_path / "same", {"train.txt": b"abab", "valid.txt": b"ba"})
    assert load(same).tokenizer.size == 2
    other = folder(tmp_path / "other", {"train.txt": b"abab", "valid.txt": b"bx"})
    corpus = load(other)
    assert corpus.tokenizer.size == 3
    assert corpus.splits["valid"].tolist() == [1, 2]
    assert load(other, "word").tokenizer.words == ("<eos>", "abab", "<unk>")


def test_an_unknown_word_makes_room_for_itself(load, tmp_path):
    files = {"train.txt": b"a b b c c c\n" * 2, "valid.txt": b"c x\n"}
    place = folder(tmp_path / "words", files)
    words = load(place, "word").tokenizer.words
    assert words == ("c", "b", "<eos>", "a", "<unk>")
    assert load(place, "word", vocab_size=5).tokenizer.words == words
    for most, kept in ((4, ("c", "b", "<eos>")), (3, ("c", "b"))):
        corpus = load(place, "word", vocab_size=most)
        assert {*corpus.tokenizer.words} == {*kept, "<unk>"}
    files["valid.txt"] = b"c a\n"
    known = load(folder(tmp_path / "known", files), "word", vocab_size=4)
    assert known.tokenizer.words == ("c", "b", "<eos>", "a")


CORPUS = {"wiki.train.tokens": b"a b\n", "ptb.valid.txt": b"b\n", "test": b"a\r\n"}


@pytest.mark.parametrize("make", [folder, tar, zipped])
def test_named_splits(load, tmp_path, make):
    suffix = {folder: "", tar: ".tgz", zipped: ".zip"}[make]
    members = {**CORPUS, "README.md": b"train on it", "._train.txt": b"\0"}
    path = make(tmp_path / f"corpus{suffix}", members)
    corpus = load(path)
    assert decoded(corpus) == {"train": "a b\n", "valid": "b\n", "test": "a�\n"}
    assert corpus.fingerprint == load(folder(tmp_path / "f", CORPUS)).fingerprint
    assert decoded(load(path, "word"))["test"] == "a\n"
    path = make(tmp_path / f"one{suffix}", {"only.txt": b"x" * 20, "README.md": b""})
    assert set(load(path).splits) == {"train", "valid", "test"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"val.txt": b"a"}, "A train split was wanted .*has .*/val.txt; name"),
        ({"train.a": b"", "train.b": b""}, "train has .*train.a, .*train.b;"),
        ({"dev.txt": b"", "val.txt": b""}, "valid has .*dev.txt, .*val.txt;"),
        ({"a.txt": b"", "b.txt": b""}, "has .*a.txt, .*b.txt; rename"),
        ({"a.npy": b""}, "has no text; rename"),
        ({"train.txt": b"", "valid.txt": b"a"}, "train.txt is empty"),
    ],
)
@pytest.mark.parametrize("make", [folder, tar])
def test_folders_and_archives_that_do_not_say(load, tmp_path, make, members, message):
    path = make(tmp_path / ("c.tar" if make is tar else "c"), members)
    with pytest.raises(InputError, match=message):
        load(path)


def test_one_name_in_two_folders_of_an_archive(load, tmp_path):
    path = tar(tmp_path / "c.tar", {"a/train": b"a", "b/train": b"b"})
    with pytest.raises(InputError, match="train has .*a/train, .*b/train; keep one"):
        load(path)


@pytest.mark.parametrize("name", ["../train.txt", "/train.txt", "a/../../train.txt"])
def test_archives_that_point_outside(load, tmp_path, name):
    for path in (
        tar(tmp_path / "c.tar.gz", {"train.txt": b"a", name: b"b"}),
        zipped(tmp_path / "c.zip", {"train.txt": b"a", name: b"b"}),
    ):
        with pytest.raises(InputError, match="refused because .* points outside"):
            load(path)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_archives_with_links_and_devices(load, tmp_path, kind):
    path = tar(tmp_path / "c.tar", {"train": b""}, type=kind, linkname="/etc/passwd")
    with pytest.raises(InputError, match="is a link or a device"):
        load(path)


def test_a_zip_with_a_link(load, tmp_path):
    info = zipfile.ZipInfo("train.txt")
    info.external_attr = 0o120777 << 16
    with pytest.raises(InputError, match="is a link or a device"):
        load(zipped(tmp_path / "c.zip", {info: "/etc/passwd"}))


def test_a_bomb(load, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "BOMB_FLOOR", 1000)
    path = zipped(tmp_path / "c.zip", {"train.txt": b"a" * 1_000_000})
    with pytest.raises(InputError, match="unpacks to 1,000,000 bytes"):
        load(path)


@pytest.mark.parametrize("name", ["c.tar.gz", "c.zip"])
def test_damaged_archives(load, tmp_path, name):
    make = zipped if name.endswith("zip") else tar
    path = make(tmp_path / name, {"train.txt": os.urandom(5000)})
    data = path.read_bytes()
    flipped = data[:2000] + bytes([data[2000] ^ 1]) + data[2001:]
    for damaged in (data[:3000], b"", flipped):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read .* fetch it again"):
            load(path, "byte")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "is empty or too short .* --data"),
        (b"\xef\xbb\xbf", {}, "is empty or too short .* --data"),
        (b"", {"tokens": "byte"}, "is empty or too short .* --data"),
        (b"", {"tokens": "word"}, "is empty or too short .* --data"),
        (b"ab\0c" * 9, {}, "binary, with a NUL byte at offset 2; .*--tokens=byte"),
        (b"a\n" * 5 + b"\xff", {"tokens": "word"}, "another byte at offset 10;"),
        (b"a" * 99 + b"\xff", {}, "another byte at offset 99;"),
        (b"a", {"tokens": "bpe"}, "byte, subword was wanted, and 'bpe' .*--tokens"),
        (b"a", {"tokens": "word", "vocab_size": 0}, "vocab_size is 0; .*--vocab_size"),
        (b"a", {"vocab_size": 9}, "--tokens=char came with 9;"),
        (b"a", {"tokens": "subword"}, "the 256 bytes .* missing; .*--vocab_size"),
        (b"a", {"tokens": "subword", "vocab_size": 256}, "vocab_size is 256; say"),
        (b"a", {"tokens": "subword", "vocab_size": 2**31}, "vocab_size is 2147483648"),
        (b"", {"tokens": "subword", "vocab_size": 300}, "is empty or too short"),
        (b"a\0", {"tokens": "subword", "vocab_size": 300}, "a NUL byte at offset 1"),
        (b"a", {"fractions": (0.5, 0.1, 0.1)}, "add up to 1.*--fractions"),
        (b"a", {"fractions": (0.0, 0.5, 0.5)}, "add up to 1.*--fractions"),
        (b"a", {"fractions": (float("nan"), 0, 0)}, "add up to 1.*--fractions"),
    ],
)
def test_texts_that_cannot_be_used(load, tmp_path, content, options, message):
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)


def test_a_missing_file(load, tmp_path):
    with pytest.raises(
        InputError, match="nope' does not exist; .*--data then names the new"
    ):
        load(tmp_path / "nope")


def test_wikitext_2_counts(load):
    corpus = load(shared("wikitext-2"), "word")
    assert {split: len(ids) for split, ids in corpus.splits.items()} == {
        "train": 2_088_628,
        "valid": 217_646,
        "test": 245_569,
    }
    assert corpus.tokenizer.size == 33_278


def test_tiny_shakespeare_counts(load):
    corpus = load(shared("tiny-shakespeare"), fractions=(0.9, 0.1, 0))
    assert {split: len(ids) for split, ids in corpus.splits.items()} == {
        "train": 1_003_854,  # what char-rnn's descendants count
        "valid": 111_540,
    }
    assert corpus.tokenizer.size == 65
    assert corpus.splits["train"].dtype == "uint8"


def test_the_hash_seed_does_not_matter(tmp_path):
    (tmp_path / "text").write_text(" ".join(f"w{i % 50}" for i in range(500)))
    code = (
        "import sys; from rnnlab.data import text; "
        "c = text.load(sys.argv[1], 'word', 20, cache_dir=sys.argv[2]); "
        "print(c.fingerprint, c.tokenizer.words, c.splits['train'].tolist(), "
        "'jax' in sys.modules, 'tensorflow_datasets' in sys.modules)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / "text", tmp_path / seed],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "0123"
    }
    assert len(outputs) == 1
    assert outputs.pop().endswith("False False\n")
