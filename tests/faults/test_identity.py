"""A resumed run is the run it was: data, settings and numerics are compared."""

import dataclasses
import math

import pytest
from starts import events, final

import experiments
from launch import records
from rnnlab.errors import IncompatibleCheckpoint, InputError
from rnnlab.options import replaced
from rnnlab.training import events as event_log
from rnnlab.training.writers import read_metrics

CONFIG = experiments.config("language_modeling")
BASE = CONFIG(data="text.txt")


def test_the_same_run_twice_is_the_same_bits(
    server, flags, finished, tmp_path, many, counted
):
    hashes = {final(finished)}
    for turn in range(many(2, 10)):
        folder, env = tmp_path / str(turn), {"PYTHONHASHSEED": str(turn)}
        cold = {"cache_dir": tmp_path / f"cache-{turn}"}
        ended = server.run("run", workdir=folder, env=env, **flags | cold)
        assert ended.code == 0, ended.err
        hashes.add(final(folder))
    assert len(hashes) == 1
    counted("runs of one configuration", many(2, 10))


DATA = {
    "tokens": "byte",
    "fractions": "80/10/10",
    "batch_size": 5,
    "length": 9,
    "eval_batch_size": 7,
    "seed": 1,
}


@pytest.mark.parametrize("name", [*DATA, "data"])
def test_other_data_is_refused(server, flags, finished, tmp_path, name):
    """All but the text itself are settings, which are compared before it is read."""
    if name == "data":
        other = tmp_path / "other.txt"
        other.write_text(flags["data"].read_text().replace("beer", "wine"))
        told = "--data"
    else:
        other, told = DATA[name], f"{name}: "
    changed = flags | {name: other}
    ended = server.run("run", workdir=finished, resume=True, **changed)
    assert ended.code == 5 and told in ended.error, ended.err
    assert len(ended.error) <= 600 and "Traceback" not in ended.err


def test_another_number_of_words_is_refused():
    old = dataclasses.replace(BASE, tokens="word", vocab_size=100)
    new = dataclasses.replace(old, vocab_size=99)
    with pytest.raises(IncompatibleCheckpoint, match="vocab_size: 100 -> 99"):
        check(old, new, override=True)


def check(old, new, override):
    record = records.Record("language_modeling", old, {"fingerprint": ""})
    wanted = dataclasses.replace(record, config=new)
    return records.check("/w", record, wanted, resume=True, override=override)


# Settings that only some configurations take -> what makes it one of these.
NEEDS = {
    "cell_options": {"cell": "mogrifier_lstm"},
    "context": {"body": "transformer"},
    "cutoffs": {"output": "adaptive"},
    "experts": {"output": "mixture"},
    "heads": {"body": "transformer"},
    "kernel": {"body": "tcn"},
    "samples": {"output": "sampled"},
    "tail_factor": {"output": "adaptive"},
}


def edits(config):
    """Yields each field of a configuration and of those inside it, and a change."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from edits(value)
            continue
        option = field.metadata["option"]
        if option.choices:
            others = [choice for choice in option.choices if choice != value]
        elif isinstance(value, bool):
            others = [not value]
        elif isinstance(value, str):
            others = ["80/10/10", "other"]
        else:
            others = [3, 0.25, 2, "other", "rounds=5", "20,50"]
        old = replaced(BASE, NEEDS.get(field.name, {}))
        for other in others:
            try:
                yield field.name, option, old, replaced(old, {field.name: other})
                break
            except InputError:
                continue
        else:
            raise AssertionError(f"no other value is known for {field.name}")


def test_every_setting_is_refused_overridden_or_free(counted):
    kinds = {"hard": 0, "soft": 0, "free": 0}
    for name, option, old, new in edits(BASE):
        free = option.free(BASE.training) if callable(option.free) else option.free
        if free:
            assert check(old, new, override=False) == []
            kinds["free"] += 1
            continue
        with pytest.raises(IncompatibleCheckpoint) as raised:
            check(old, new, override=False)
        message = str(raised.value)
        assert f"{name}: " in message and " -> " in message and "/w" in message
        assert len(message) <= 600
        assert ("--override" in message) == option.soft
        if option.soft:
            assert check(old, new, override=True)[0].startswith(f"{name}: ")
            kinds["soft"] += 1
        else:
            with pytest.raises(IncompatibleCheckpoint):
                check(old, new, override=True)
            kinds["hard"] += 1
    assert sum(kinds.values()) >= 40 and min(kinds.values()) >= 10
    counted("edits of one setting", sum(kinds.values()))


def test_an_overridden_run_says_so_and_goes_on(server, flags, tmp_path):
    assert server.run("run", workdir=tmp_path, **flags).code == 0
    other = flags | {"steps": 44, "learning_rate": 1e-4, "resume": True}
    assert server.run("run", workdir=tmp_path, **other).code == 5
    ended = server.run("run", workdir=tmp_path, override=True, **other)
    assert ended.code == 0 and "learning_rate: 0.005 -> 0.0001" in ended.err
    assert len(events(tmp_path, "overridden")) == 1
    ended = server.run("run", workdir=tmp_path, **other)  # they are its settings now
    assert ended.code == 0, ended.err


SIDE_FILES = {
    "config.json": records.read,
    "metrics.jsonl": lambda folder: read_metrics(folder / "metrics.jsonl"),
    "events.jsonl": event_log.read,
}


@pytest.mark.parametrize("name", SIDE_FILES)
def test_a_side_file_cut_anywhere_is_read_or_named(finished, tmp_path, name, counted):
    content = (finished / name).read_bytes()
    step = max(1, math.ceil(len(content) / 400))
    whole = SIDE_FILES[name](finished)
    for size in range(0, len(content), step):
        (tmp_path / name).write_bytes(content[:size])
        try:
            found = SIDE_FILES[name](tmp_path)
        except InputError as error:
            assert f"{tmp_path / name}" in str(error) and len(str(error)) <= 600
            assert name == "config.json"  # lines have an end, which tells
        else:
            assert found == whole or found == whole[: len(found)]
        counted("side files cut short", 1)
