"""Ids on disk: found again, made again when damaged, safe under two writers."""

import multiprocessing
import os

import pytest

from rnnlab.data import cache, text, tokenizers
from rnnlab.errors import InputError, StorageError


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("to be or not to be\n" * 100)
    return str(path)


def contents(corpus):
    return {split: ids.tolist() for split, ids in corpus.splits.items()}


@pytest.mark.parametrize("kind", tokenizers.TOKENIZERS)
def test_a_second_load_tokenises_nothing(source, tmp_path, monkeypatch, kind):
    asked = source, kind, 300 if kind == "subword" else None
    first = text.load(*asked, cache_dir=str(tmp_path / "c"))

    def fail(*_):
        raise AssertionError("tokenised again")

    monkeypatch.setattr(tokenizers.TOKENIZERS[kind], "encode", fail)
    monkeypatch.setattr(tokenizers.TOKENIZERS[kind], "fit", fail)
    second = text.load(*asked, cache_dir=str(tmp_path / "c"))
    assert first.extents == second.extents
    assert contents(first) == contents(second)
    assert first.fingerprint == second.fingerprint
    assert first.tokenizer == second.tokenizer
    assert not second.splits["train"].flags.writeable


def test_the_key_holds_all_that_matters(source, tmp_path):
    def key(**options):
        return text.load(source, cache_dir=str(tmp_path / "c"), **options).fingerprint

    keys = [key(), key(tokens="word"), key(tokens="word", vocab_size=3)]
    keys += [key(tokens="byte"), key(fractions=(0.9, 0.1, 0))]
    with open(source, "a") as file:
        file.write("that\n")
    keys.append(key())
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", ["train.ids", "tokenizer.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "empty"])
def test_damage_is_mended(source, tmp_path, name, damage):
    first = text.load(source, cache_dir=str(tmp_path / "c"))
    expected = contents(first)
    path = tmp_path / "c" / first.fingerprint / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(
            {"flip": bytes(data), "truncate": data[:-1], "empty": b""}[damage]
        )
    assert contents(text.load(source, cache_dir=str(tmp_path / "c"))) == expected


def _load(source, root, out):
    corpus = text.load(source, "word", cache_dir=root)
    out.put((corpus.fingerprint, corpus.splits["train"].tolist()))


def test_writers_at_once(source, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    out = spawn.Queue()
    args = (source, str(tmp_path / "c"), out)
    workers = [spawn.Process(target=_load, args=args) for _ in range(3)]
    for worker in workers:
        worker.start()
    results = [out.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert results[0] == results[1] == results[2]
    assert sorted(os.listdir(tmp_path / "c")) == sorted([results[0][0], "lock"])


def test_leftovers_go(source, tmp_path):
    (tmp_path / "c" / f"{'0' * 64}.tmp").mkdir(parents=True)
    (tmp_path / "c" / "precious.tmp").mkdir()
    text.load(source, cache_dir=str(tmp_path / "c"))
    left = [path.name for path in (tmp_path / "c").glob("*.tmp")]
    assert left == ["precious.tmp"]
    (tmp_path / "empty").write_text("")
    with pytest.raises(InputError):
        text.load(str(tmp_path / "empty"), cache_dir=str(tmp_path / "c"))
    left = [path.name for path in (tmp_path / "c").glob("*.tmp")]
    assert left == ["precious.tmp"]


def test_a_cache_that_cannot_be_written(source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="--cache_dir"):
        text.load(source, cache_dir=str(tmp_path / "file"))


def test_default_root(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.default_root() == tmp_path / "rnnlab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.default_root() == tmp_path / ".cache" / "rnnlab"
