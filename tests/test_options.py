"""Configurations: each bound is held in one sentence, and a record is read back."""

import dataclasses
import json

import pytest

from experiments.language_modeling.config import Config
from rnnlab import options
from rnnlab.errors import InputError
from rnnlab.options import check, differences, from_dict, option
from rnnlab.training.settings import Training


@dataclasses.dataclass(frozen=True)
class Small:
    count: int = option(3, "of things", above=0, below=10)
    share: float = option(0.5, "of them", least=0, below=1)
    name: str = option("a", "which", choices=("a", "b"))
    size: int | None = option(None, "if any", least=1)
    loud: bool = option(False, "or not")
    seed: int = option(0, "may change", free=True)
    plain: int = 7

    def __post_init__(self):
        check(self)


GOOD = [
    {},
    {"count": 1},
    {"count": 9},
    {"share": 0},
    {"share": 0.999},
    {"size": 1},
    {"size": None},
    {"loud": True},
    {"name": "b"},
    {"plain": "anything"},
]
BAD = [
    ("count", 0, "above 0"),
    ("count", 10, "below 10"),
    ("count", 2.0, "int"),
    ("count", True, "int"),
    ("count", "3", "int"),
    ("count", None, "int"),
    ("share", -0.1, "at least 0"),
    ("share", 1.0, "below 1"),
    ("share", float("nan"), "a finite number"),
    ("share", float("inf"), "a finite number"),
    ("share", False, "float"),
    ("name", "c", "one of a, b"),
    ("name", 1, "str"),
    ("size", 0, "at least 1"),
    ("loud", 1, "bool"),
]


@pytest.mark.parametrize("values", GOOD)
def test_what_is_in_range_is_taken(values):
    assert dataclasses.replace(Small(), **values) == Small(**values)


def is_refused(kind, name, value, wanted=""):
    with pytest.raises(InputError) as error:
        kind(**{name: value})
    message = str(error.value)
    assert f"--{name} must be {wanted}" in message and repr(value) in message
    assert message.endswith(".") and "\n" not in message
    return message


@pytest.mark.parametrize(("name", "value", "wanted"), BAD)
def test_what_is_not_is_named_in_one_sentence(name, value, wanted):
    is_refused(Small, name, value, wanted)


def bounds(kind):
    """Yields, for each bound and choice of a configuration, a value beyond it."""
    for field in dataclasses.fields(kind):
        if "option" not in field.metadata:
            continue
        known, of = field.metadata["option"], options.base(field)
        if known.choices is not None:
            yield field.name, "nothing of the kind"
        if known.above is not None:
            yield field.name, of(known.above)
        if known.least is not None:
            yield field.name, of(known.least) - of(1)
        if known.below is not None:
            yield field.name, of(known.below)
        if of is float:
            yield field.name, float("nan")
        if of is not str:
            yield field.name, "5"


CASES = [(kind, *case) for kind in (Training, Config) for case in bounds(kind)]


@pytest.mark.parametrize(("kind", "name", "value"), CASES, ids=str)
def test_each_bound_of_the_command_is_held(kind, name, value):
    assert "leave it out for the default" in is_refused(kind, name, value)


@pytest.mark.parametrize(
    ("kind", "values", "parts"),
    [
        (Training, {"decay": 1.5}, ["--decay", "1.5"]),
        (Training, {"steps": 10, "warmup": 20}, ["--warmup", "--steps=10", "20"]),
        (Config, {"tied": True, "embedding": 3}, ["--tied", "--embedding", "3"]),
        (
            Config,
            {"cell": "clockwork", "features": 250},
            ["--cell=clockwork", "--features=250", "a multiple of 4"],
        ),
        (Config, {"engine": "associative"}, ["LinearCell", "--cell=lstm", "scan"]),
        (Config, {"fractions": "90/10"}, ["--fractions", "'90/10'"]),
        (Config, {"fractions": "a/b/c"}, ["--fractions", "'a/b/c'"]),
        (Config, {"fractions": "-90/5/5"}, ["--fractions", "'-90/5/5'"]),
        (Config, {"fractions": "0/50/50"}, ["--fractions", "train", "'0/50/50'"]),
    ],
)
def test_settings_that_contradict_each_other_are_named(kind, values, parts):
    with pytest.raises(InputError) as error:
        kind(**values)
    for part in parts:
        assert part in str(error.value)


CONFIGS = [
    Config(),
    Config(data="text.txt", vocab_size=10, tied=True, embedding=256, init_scale=0.05),
    Config(training=Training(steps=7, clip_norm=None, learning_rate=1)),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_record_is_read_back(config):
    text = json.dumps(dataclasses.asdict(config))
    again = from_dict(Config, json.loads(text))
    assert again == config and isinstance(again.training, Training)
    assert json.dumps(dataclasses.asdict(again)) == text


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda d: d.pop("cell"), ["Config", "cell"]),
        (lambda d: d.update(attention=1), ["Config", "attention"]),
        (lambda d: d["training"].pop("seed"), ["Training", "seed"]),
        (lambda d: d.update(features=-1), ["--features", "-1"]),
        (lambda d: d["training"].update(optimizer="magic"), ["--optimizer", "magic"]),
    ],
)
def test_a_record_of_another_version_is_refused(change, parts):
    data = dataclasses.asdict(Config())
    change(data)
    with pytest.raises(InputError) as error:
        from_dict(Config, data)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["probe_every", "clip_layer", "gradient_noise"])
def test_what_came_later_is_at_its_default(name):
    data = dataclasses.asdict(Config())
    del data["training"][name]
    assert from_dict(Config, data) == Config()


@dataclasses.dataclass(frozen=True)
class Sized:
    features: int
    rounds: int = 4
    scale: float = 1.0
    rank: int | None = None
    name: str = "a"

    def __post_init__(self):
        if self.rounds < 1:
            raise ValueError(f"Sized needs rounds, got {self.rounds}.")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("rounds=5", Sized(6, rounds=5)),
        ("rounds=5, rank=84", Sized(6, rounds=5, rank=84)),
        ("scale=1e-3,rounds=1", Sized(6, rounds=1, scale=1e-3)),
    ],
)
def test_numbers_of_a_dataclass(text, wanted):
    assert options.with_numbers("its", Sized(6), text, but=("features",)) == wanted


@pytest.mark.parametrize(
    "text", ["", "rounds", "rounds=", "rounds=x", "rounds=1.5", "name=b", "features=3",
             "rounds=0", "rounds=5,,rank=1", "=3", "other=1"],
)  # fmt: skip
def test_numbers_that_a_dataclass_has_not(text):
    with pytest.raises(InputError, match=r"^--its must [^\n]*$"):
        options.with_numbers("its", Sized(6), text, but=("features",))


def test_differences_are_those_that_are_not_free():
    old = Config(training=Training(schedule="constant"))
    new = dataclasses.replace(
        old,
        features=64,
        engine="loop",
        training=dataclasses.replace(old.training, steps=5, seed=3, clip_norm=None),
    )
    assert differences(old, old) == []
    assert sorted(differences(old, new)) == [
        "clip_norm: 5.0 -> None",
        "features: 256 -> 64",
        "seed: 0 -> 3",
    ]


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
@pytest.mark.parametrize("longer", [{"epochs": 20}, {"steps": 500}])
def test_a_cosine_may_not_become_longer(schedule, longer):
    """Its rate at a step depends on the last step: a resumed run's would jump."""
    old = Training(schedule=schedule)
    found = differences(old, dataclasses.replace(old, **longer))
    name, value = next(iter(longer.items()))
    was = getattr(old, name)
    assert found == ([f"{name}: {was} -> {value}"] if schedule == "cosine" else [])
