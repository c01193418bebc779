"""A record as flags: what launch.run is given to do a run again."""

import dataclasses

import pytest
from absl import flags
from made_runs import config

import experiments
from experiments.language_modeling.config import Config
from launch import records
from launch.flags import define, parse, read
from rnnlab.errors import InputError
from rnnlab.options import option

CHANGES = [
    {},
    {"cell": "gru", "features": 16, "dropout": 0.25},
    {"tied": True, "clip_norm": None, "steps": 60, "embedding": 256},
    {"learning_rate": 1e-5, "l2": 1 / 3, "seed": 2**32 - 1},
    {"data": 'a folder/it\'s "so" = $HOME\n--seed=3 none'},
    {"data": "--resume", "data_dir": "-", "cache_dir": ""},
]


def flags_of(settings):
    return records.arguments(records.Record("language_modeling", settings))


def read_back(kind, arguments):
    values = flags.FlagValues()
    define(kind(), values)
    parse(["run", *arguments], values)
    return read(kind, values)


@pytest.mark.parametrize("changes", CHANGES)
def test_the_flags_of_a_record_give_it_back(changes):
    settings = config(**changes)
    assert read_back(Config, flags_of(settings)) == settings


def test_only_what_is_not_the_default_is_named():
    settings = config(tied=True, clip_norm=None, learning_rate=1e-5, data="a b")
    wanted = ["--clip_norm=none", "--data=a b", "--learning_rate=1e-05", "--tied"]
    assert sorted(flags_of(settings)) == wanted
    assert flags_of(Config()) == []


@dataclasses.dataclass(frozen=True)
class Switches:
    first: bool = option(True, "on by default")
    second: bool = option(False, "off by default")


def test_a_switch_is_turned_either_way(monkeypatch):
    monkeypatch.setattr(experiments, "config", lambda name: Switches)
    assert flags_of(Switches(False, True)) == ["--nofirst", "--second"]
    assert read_back(Switches, ["--nofirst", "--second"]) == Switches(False, True)


@pytest.mark.parametrize("file_last", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_what_is_typed_stands_above_a_file_of_flags(tmp_path, file_last, apart):
    inner, file = tmp_path / "inner.flags", tmp_path / "my.flags"
    inner.write_text("--steps=3\n--features=7\n--layers=2\n")
    file.write_text(f"--flagfile={inner}\n--features=8\n")
    named = ["--flagfile", str(file)] if apart else [f"--flagfile={file}"]
    typed = ["--steps", "5", "--tied"]
    known = flags.FlagValues()
    define(Config(), known)
    parse(["run", *(typed + named if file_last else named + typed)], known)
    found = [known[name].value for name in ("steps", "features", "layers", "tied")]
    assert found == [5, 8, 2, True]


def test_a_file_of_flags_without_a_flag_is_named(tmp_path):
    file = tmp_path / "my.flags"
    file.write_text("--steps=3\na text\n")
    known = flags.FlagValues()
    define(Config(), known)
    with pytest.raises(InputError, match="--flagfile must .* got a line 'a text'"):
        parse(["run", f"--flagfile={file}"], known)
