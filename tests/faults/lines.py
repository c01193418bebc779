"""Command lines of `launch.run`, good and bad, from what it knows of its flags."""

import dataclasses
import math

import texts
from absl import flags
from hypothesis import strategies as st

import experiments
from launch.flags import define, parse, read
from rnnlab.options import base, none_allowed
from rnnlab.training import workdir

CONFIG = experiments.config("language_modeling")
# The flags that a line has unless it draws others; <folder> is the example's own.
USUAL = {
    "workdir": "<folder>/run",
    "cache_dir": "<folder>/../cache",
    "features": "8",
    "batch_size": "4",
    "length": "10",
    "steps": "2",
}
ODD = [
    *("", " ", "nan", "inf", "-inf", "1e400", "-1e400", "1e300", "1e-300", "1e6"),
    *("-1", "0", "1", "0x10", "1_0", "none", "None", "text", "-", "½", "٣", "\n"),
    *(str(2**31), str(2**32), str(2**63), str(10**30), "9" * 5000, "x" * 5000),
    *("\0", "\x1b[2J", "\udcff", "1/0/0", "0/1/1", "1/2", "9999999999/1/1"),
]
FOLDERS = [
    *("", " \t", "~nobody-here/x", "/proc/nothing", "/dev/full", "/dev/null/x"),
    *("<folder>/file", "<folder>/file/x", "<folder>/a ü/b", "<folder>/./x/../y"),
    *("x" * 5000, "\0", "<folder>/\udcff"),
]
GOOD = {
    "fractions": ["100/0/0", "80/10/10", "1/1/1"],
    "data_dir": ["<folder>/data"],
    "cache_dir": ["<folder>/cache"],
    "cutoffs": ["2,5", "none"],
    "init_from": ["none"],
    "vectors": ["none"],
}
FLAG_FILES = {
    "good": b"--features=4\n# a remark\n--tied\n",
    "other": b"--features\n--tied\n",
    "binary": bytes(range(256)),
    "circle": b"--flagfile=<folder>/circle\n",
    "empty": b"",
    "nothing": b"\n\n  \n",
    "text": b"a text\n",
}


@dataclasses.dataclass(frozen=True)
class Line:
    """A command line, and the text that its --data names."""

    argv: tuple[str, ...]
    text: str

    def lay(self, folder):
        """Makes the files that it names; returns its arguments, and its --data."""
        (folder / "corpus").mkdir(parents=True)
        data = texts.ALL[self.text](folder / "corpus")
        (folder / "file").write_text("a file\n")
        for name, content in FLAG_FILES.items():
            content = content.replace(b"<folder>", str(folder).encode())
            (folder / name).write_bytes(content)
        argv = [token.replace("<folder>", str(folder)) for token in self.argv]
        return [*argv, f"--data={data}"], data


def begin(argv):
    """Does what `launch.run` does before it trains: returns config and experiment."""
    known = flags.FlagValues()
    for name in ("resume", "override"):
        flags.DEFINE_bool(name, False, "", flag_values=known)
    flags.DEFINE_string("workdir", None, "", required=True, flag_values=known)
    define(CONFIG(), known)
    parse(["launch/run.py", *argv], known)
    config = read(CONFIG, known)
    workdir.probe(workdir.resolve(known.workdir))
    experiment = experiments.load("language_modeling").build(config)
    experiment.check()
    return config, experiment


def options(kind=CONFIG):
    """Yields the fields of a configuration, and of those inside it."""
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.type):
            yield from options(field.type)
        elif field.name != "data":
            yield field


def good(field):
    """Returns values that a field takes, most of them cheap to train with."""
    known = field.metadata["option"]
    if field.name in GOOD:
        return GOOD[field.name]
    if field.type is bool:
        return ["true", "false"]
    if known.choices is not None:
        return list(known.choices)
    if base(field) is str:
        return ["text"]
    least = known.least if known.above is None else known.above + 1
    numbers = [least + n for n in (0, 1, 3)] if base(field) is int else [0.1, 0.5, 0.03]
    return [*map(str, numbers), *["none"] * none_allowed(field)]


def beside(field):
    """Returns the bounds of a number with what is just in and out of them."""
    known, kind = field.metadata["option"], base(field)
    bounds = [b for b in (known.above, known.least, known.below) if b is not None]
    if kind is int:
        return [str(b + n) for b in bounds for n in (-1, 0, 1)]
    return [
        repr(b) if toward is None else repr(math.nextafter(b, toward))
        for b in bounds
        for toward in (-math.inf, None, math.inf)
    ]


def misspelt(names):
    """Draws one of the names with a letter too few, too many or another."""
    return st.tuples(names, st.integers(0, 20)).flatmap(
        lambda pair: st.sampled_from(
            [
                pair[0][: pair[1]] + pair[0][pair[1] + 1 :],
                pair[0][: pair[1]] + "x" + pair[0][pair[1] :],
                pair[0].replace("_", "-"),
                pair[0].upper(),
            ]
        )
    )


@st.composite
def values(draw, field):
    """Draws a value, half of them good."""
    if draw(st.booleans()):
        return draw(st.sampled_from(good(field)))
    if "dir" in field.name:  # a folder that is not there would be made
        return draw(st.sampled_from(FOLDERS))
    ways = [st.sampled_from(ODD)]
    if base(field) in (int, float):
        numbers = (
            st.integers().map(str) if base(field) is int else st.floats().map(repr)
        )
        bounds = beside(field)
        ways += [numbers, *[st.sampled_from(bounds)] * bool(bounds)]
    elif field.metadata["option"].choices is not None:
        ways.append(misspelt(st.sampled_from(field.metadata["option"].choices)))
    return draw(st.one_of(ways))


@st.composite
def token(draw, field):
    """Draws a flag in one of the ways in which it may be written."""
    name, value = field.name, draw(values(field))
    usual, rare = [f"--{name}={value}"], [[f"-{name}={value}"], [f"--{name}", value]]
    if field.type is bool:
        usual, rare = [f"--{name}"], [[f"--no{name}"], [f"--no{name}=1"], usual]
    return draw(st.sampled_from([usual, usual, usual, *rare]))


@st.composite
def misuse(draw):
    """Draws what is wrong with a command line whatever the values."""
    names = st.sampled_from([field.name for field in options()])
    flag_file = st.sampled_from([*FLAG_FILES, "missing", "corpus"])
    return draw(
        misspelt(names).map(lambda name: [f"--{name}=1"])
        | names.map(lambda name: [f"{name}=1"])
        | names.map(lambda name: [f"--{name}"])
        | names.map(lambda name: [f"--{name}=1", f"--{name}=1"])
        | flag_file.map(lambda name: [f"--flagfile=<folder>/{name}"])
        | st.sampled_from(
            [[""], ["-"], ["--"], ["--=1"], ["run"], ["--resume=perhaps"]]
        )
        | st.text(max_size=9).map(lambda text: [f"--{text}"])
    )


@st.composite
def lines(draw):
    """Draws a command line that may be wrong in several ways, or in none."""

    def seldom(good, odd):
        return draw(odd) if draw(st.integers(0, 3)) == 0 else good

    fields = draw(st.lists(st.sampled_from([*options()]), max_size=2, unique=True))
    text = draw(st.sampled_from([*texts.UNTOUCHED]) | st.sampled_from([*texts.ALL]))
    tokens = [part for field in fields for part in draw(token(field))]
    wrong = seldom([], misuse())
    usual = {**USUAL, "workdir": seldom(USUAL["workdir"], st.sampled_from(FOLDERS))}
    for field in fields:
        usual.pop(field.name, None)
    given = [f"--{name}={value}" for name, value in usual.items()]
    return Line((*given, *wrong, *tokens), text)


@st.composite
def good_lines(draw):
    """Draws a command line that is likely to be trained, for two steps."""
    fields = [field for field in options() if field.name not in ("steps", "cache_dir")]
    drawn = draw(st.lists(st.sampled_from(fields), min_size=2, max_size=6, unique=True))
    some = {field.name: draw(st.sampled_from(good(field))) for field in drawn}
    text = draw(st.sampled_from([*texts.UNTOUCHED, *texts.SPOILED]))
    given = {**USUAL, **some, "log_every": 1}
    return Line(tuple(f"--{name}={value}" for name, value in given.items()), text)
