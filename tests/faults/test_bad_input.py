"""Each bad input is refused in one line: what it is, and the way out."""

import pytest
import refusals
import texts

from rnnlab.data import text

# Arguments, or other flags than usual; and what the line has to say.
REFUSED = [
    ({"cell": "lstn"}, ["--cell", "lstn", "one of 53 names", "did you mean", "lstm"]),
    ({"experiment": "images"}, ["--experiment", "language_modeling"]),
    ({"experiment": "language_modelling"}, ["did you mean language_modeling?"]),
    ({"optimizer": "adm"}, ["--optimizer", "sgd", "did you mean adam"]),
    ({"featurs": 8}, ["featurs", "features"]),
    (["features=8"], ["features=8", "--"]),
    (["--tied", "--notied"], ["--tied", "once"]),
    (["--layers", "--tied"], ["--layers", "needs a value", "--tied"]),
    (["--resume=perhaps"], ["resume", "perhaps"]),
    ({"learning_rate": 0}, ["--learning_rate", "above 0", "0.0"]),
    ({"learning_rate": -1}, ["--learning_rate", "above 0", "-1.0"]),
    ({"learning_rate": "nan"}, ["--learning_rate", "finite"]),
    ({"learning_rate": "1e400"}, ["--learning_rate", "finite", "inf"]),
    ({"learning_rate": "1e-60"}, ["--learning_rate", "float32", "1e-60"]),
    ({"momentum": 1.5}, ["--momentum", "below 1", "1.5"]),
    ({"l2": -1}, ["--l2", "at least 0", "-1"]),
    ({"clip_norm": -1}, ["--clip_norm", "above 0", "-1"]),
    ({"dropout": 1.5}, ["--dropout", "below 1", "1.5"]),
    ({"dropout": -0.5}, ["--dropout", "at least 0", "-0.5"]),
    ({"dropout": "nan"}, ["--dropout", "finite"]),
    ({"warmup": 100}, ["--warmup", "--steps=40"]),
    ({"seed": -1}, ["--seed", "at least 0", "-1"]),
    ({"seed": 2**32}, ["--seed", f"below {2**32}", str(2**32)]),
    ({"steps": "1e6"}, ["steps", "1e6"]),
    ({"steps": 2**31}, ["--steps", "below 2**31", str(2**31)]),
    ({"epochs": 2**31 - 1, "steps": "none"}, ["--epochs", "at most"]),
    ({"features": 0}, ["--features", "above 0", "got 0"]),
    ({"features": -3}, ["--features", "above 0", "-3"]),
    ({"length": 0}, ["--length", "above 0"]),
    ({"batch_size": 0}, ["--batch_size", "above 0"]),
    ({"batch_size": 5000}, ["5000 x 10", "--batch_size", "--data"]),
    ({"length": 2**30, "eval_batch_size": 2**16}, ["--length", "tokens were wanted"]),
    ({"engine": "deferred", "cell": "gru_before"}, ["--engine=scan", "gru_before"]),
    ({"cell": "gru", "forget_bias": 1}, ["--forget_bias", "lstm", "--cell=gru"]),
    ({"engine": "cudnn"}, ["--engine=cudnn", "cpu", "--engine=auto"]),
    ({"tied": True, "embedding": 9}, ["--tied", "--embedding", "9"]),
    ({"output": "softmx"}, ["--output", "softmx", "did you mean softmax?"]),
    ({"experts": 3}, ["--experts", "--output=mixture", "3", "--output=softmax"]),
    (
        {"output": "sampled", "label_smoothing": 0.1},
        ["--label_smoothing", "--output=softmax", "--output=sampled"],
    ),
    ({"output": "sampled"}, ["--samples", "words of the vocabulary", "1024"]),
    ({"output": "adaptive"}, ["--cutoffs", "words of the vocabulary", "10000"]),
    ({"output": "adaptive", "cutoffs": "9,4"}, ["--cutoffs", "rise", "9,4"]),
    ({"output": "adaptive", "cutoffs": "0,4"}, ["--cutoffs", "above 0", "0,4"]),
    ({"output": "adaptive", "cutoffs": "a"}, ["--cutoffs", "whole numbers", "'a'"]),
    (
        {"output": "adaptive", "cutoffs": "4", "tied": True, "tail_factor": 2},
        ["--tied", "--tail_factor=1", "got 2"],
    ),
    ({"devices": 2}, ["--devices=2", "there are 1 in 1 processes"]),
    ({"shard": "zero"}, ["--shard", "zero", "fsdp"]),
    ({"processes": 2, "process_id": 0}, ["--coordinator=HOST:PORT", "all three"]),
    ({"coordinator": "here:7", "processes": 2}, ["--processes=2 alone", "all three"]),
    ({"coordinator": "here"}, ["--coordinator", "HOST:PORT", "here"]),
    ({"coordinator": "slurm"}, ["--coordinator=slurm", "SLURM_PROCID", "srun"]),
    (
        {"coordinator": "here:70000", "processes": 2, "process_id": 0},
        ["HOST:PORT", "65535", "here:70000"],
    ),
    (
        {"coordinator": "here:7", "processes": 2, "process_id": 2},
        ["--process_id", "--processes=2", "got 2"],
    ),
    ({"fractions": "90/10"}, ["--fractions", "90/5/5", "90/10"]),
    ({"flagfile": "/nowhere.flags"}, ["/nowhere.flags"]),
    ({"workdir": ""}, ["--workdir"]),
    ({"workdir": "/proc/nothing"}, ["/proc/nothing", "--workdir"]),
    ({"workdir": "/dev/null"}, ["/dev/null", "--workdir"]),
    ({"workdir": "~nobody-here/x"}, ["~nobody-here", "another path"]),
    ({"data": "/nowhere.txt"}, ["--data", "/nowhere.txt"]),
    ({"data": "tfds:../x"}, ["tfds:", "--data"]),
]


@pytest.mark.parametrize("given, words", REFUSED, ids=str)
def test_flags(server, flags, tmp_path, given, words):
    arguments, more = ((), given) if isinstance(given, dict) else (given, {})
    usual = {**flags, "workdir": tmp_path / "run", **more}
    ended = server.run("run", *arguments, **usual)
    refusals.check(ended, *words)
    assert not refusals.begun(tmp_path)


@pytest.mark.parametrize("what", texts.REFUSED)
def test_texts(server, flags, tmp_path, what):
    data = texts.REFUSED[what](tmp_path)
    ended = server.run("run", **{**flags, "workdir": tmp_path / "run", "data": data})
    refusals.check(ended, "--data")
    assert not refusals.begun(tmp_path)


def test_a_nul_is_refused_where_characters_are_read(server, flags, tmp_path):
    data = texts.SPOILED["a NUL"](tmp_path)
    ended = server.run("run", **{**flags, "workdir": tmp_path / "run", "data": data})
    refusals.check(ended, str(data), "NUL", "offset 700", "--tokens=byte")


def test_a_text_that_is_not_utf_8_is_refused_at_its_place(server, flags, tmp_path):
    data = texts.SPOILED["not UTF-8"](tmp_path)
    ended = server.run("run", **{**flags, "workdir": tmp_path / "run", "data": data})
    place = data.read_bytes().index(b"\xe8")
    refusals.check(ended, str(data), f"offset {place}", "UTF-8")


@pytest.mark.parametrize("what, there", [("CRLF", "\r\n"), ("escapes", "\x1b")])
def test_what_is_odd_in_a_text_stays_as_it_is(tmp_path, what, there):
    data = texts.SPOILED[what](tmp_path)
    found = text.load(str(data), "char", cache_dir=str(tmp_path / "cache"))
    read = found.tokenizer.decode(found.splits["train"].tolist())
    assert data.read_bytes().decode().startswith(read) and there in read


def test_a_byte_order_mark_is_no_character(tmp_path):
    data = texts.SPOILED["a mark"](tmp_path)
    found = text.load(str(data), "char", cache_dir=str(tmp_path / "cache"))
    assert found.tokenizer.decode(found.splits["train"][:2].tolist()) == "0 "
