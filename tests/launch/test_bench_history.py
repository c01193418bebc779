"""The history of the benchmarks, the tables between markers, the README's claims."""

import datetime
import json

import pytest

from launch import bench
from launch.measuring import ledger, machine, markers, speed
from launch.measuring.ledger import Entry
from launch.measuring.outcome import Measurement, Outcome, measurement
from rnnlab.errors import InputError

TOLD = measurement({"cell": "lstm"}, "s", [1.0, 2.0, 3.0, 4.0, 50.00001])


def entry(suite, *measurements, commit="abc"):
    return Entry(suite, commit, "a box", {}, "2026-01-01", 5, 0.1, measurements)


def of(what, median, unit="times rnnlab"):
    return Measurement(what, unit, median, median, median)


@pytest.fixture
def places(monkeypatch, tmp_path):
    files = [tmp_path / name for name in ("B.md", "R.md", "docs.jsonl")]
    for name, file in zip(("TABLES", "README", "HISTORY"), files, strict=True):
        monkeypatch.setattr(bench, name, file)
    files[0].write_text("a\n<!-- bench:lm -->\nold\n<!-- /bench:lm -->\nb\n")
    files[1].write_text("<!-- claims -->\n<!-- /claims -->\n")
    return files


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([1, 2, 3, 4, 50.00001], (3.0, 2.0, 4.0)),
        ([0.123456], (0.1235, 0.1235, 0.1235)),
        (1234567, (1235000.0, 1235000.0, 1235000.0)),
    ],
)
def test_a_measurement_is_median_and_quartiles_to_four_digits(values, numbers):
    found = measurement({}, "s", values)
    assert (found.median, found.low, found.high) == numbers


def test_a_line_says_what_was_measured_where_and_when(tmp_path):
    path = tmp_path / "history.jsonl"
    ledger.append(path, ledger.entry("lm", 5, 0.123456, Outcome("", (TOLD,))))
    (line,) = path.read_text().splitlines()
    found = json.loads(line)
    assert found.pop("versions").keys() >= {"Python", "jax"}
    assert machine.describe().startswith(f"Commit {found.pop('commit')}; ")
    assert found.pop("device") in machine.describe()
    numbers = {"unit": "s", "median": 3.0, "low": 2.0, "high": 4.0}
    assert found == {
        "suite": "lm",
        "date": str(datetime.date.today()),
        "repeats": 5,
        "others": 0.123,
        "measurements": [{"what": {"cell": "lstm"}, **numbers}],
    }


def test_what_is_read_is_what_was_written_and_the_newest_counts(tmp_path):
    path = tmp_path / "history.jsonl"
    written = [entry("lm"), entry("peers", TOLD), entry("lm", TOLD, commit="def")]
    for each in written:
        ledger.append(path, each)
    found = ledger.read(path)
    assert [each._replace(measurements=(*each.measurements,)) for each in found] == (
        written
    )
    assert {k: v.commit for k, v in ledger.newest(found).items()} == {
        "lm": "def",
        "peers": "abc",
    }


def test_a_torn_line_is_not_read_and_cut_off(tmp_path):
    path = tmp_path / "history.jsonl"
    ledger.append(path, entry("lm"))
    with path.open("a") as stream:
        stream.write('{"suite": "pe')
    assert [each.suite for each in ledger.read(path)] == ["lm"]
    ledger.append(path, entry("memory"))
    assert [each.suite for each in ledger.read(path)] == ["lm", "memory"]


@pytest.mark.parametrize("line", ["[", "[]", "{}", '{"measurements": [{}]}'])
def test_another_file_is_refused(tmp_path, line):
    path = tmp_path / "history.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(InputError, match=r"history.jsonl should hold lines"):
        ledger.read(path)


def test_a_history_that_is_missing_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        ledger.read(tmp_path / "none")


def test_replace_changes_what_stands_between_the_markers(tmp_path):
    file = tmp_path / "a.md"
    file.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nb\n")
    for _ in range(2):
        markers.replace(file, "x", "new")
        assert file.read_text() == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
    assert markers.split(file, "x")[1] == "new"


@pytest.mark.parametrize("text", ["", "<!-- x -->", "<!-- /x -->"])
def test_replace_needs_both_markers(tmp_path, text):
    file = tmp_path / "a.md"
    file.write_text(text)
    with pytest.raises(InputError, match=r"a.md needs the markers <!-- x -->"):
        markers.replace(file, "x", "new")
    assert file.read_text() == text


def test_write_adds_to_the_history_and_puts_all_in_its_place(
    monkeypatch, places, tmp_path
):
    tables, readme, history = places
    model = [of({"model": "1, 2", "code": c}, r) for c, r in PEERS.items()]
    outcome = Outcome("new", tuple(model), {tmp_path / "measured.json": "[]"})
    monkeypatch.setattr(bench, "measure", lambda suite, repeats: (outcome, 0.05))
    bench.check("lm", None, write=True)
    bench.write("lm", 3)
    _, table, rest = markers.split(tables, "bench:lm")
    assert rest == "\nb\n"
    assert table.startswith("new\n\nCommit ") and table.endswith(
        "other processes had 5% of the cores meanwhile"
    )
    assert (tmp_path / "measured.json").read_text() == "[]"
    (line,) = ledger.read(history)
    assert (line.suite, line.repeats, line.others) == ("lm", 3, 0.05)
    assert tuple(line.measurements) == outcome.measurements
    assert "| 1.25 (flax) | 0.75 |" in markers.split(readme, "claims")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lm", "HEAD", True), "got --write too"),
        (("startup", "HEAD", False), "got --suite=startup"),
        (("peers", None, True), r"B.md needs the markers <!-- bench:peers -->"),
    ],
)
def test_what_would_be_for_nothing_is_refused_before_it_begins(
    places, arguments, message
):
    with pytest.raises(InputError, match=message):
        bench.check(*arguments)


PEERS = {"rnnlab": 1.0, "flax": 1.25, "haiku": 1.5, "torch": 0.75}


def layers(codes):
    return [
        of({"cell": cell, "shape": shape, "code": code}, ratio)
        for cell in ("lstm", "gru")
        for shape in speed.SHAPES
        for code, ratio in codes.items()
    ]


def test_the_claims_are_made_of_the_newest_numbers():
    memory = {"cell": "lstm", "B": 20, "T": 4096, "of": "temporaries"}
    split = {"cell": "lstm", "pass": "with gradient", "T": 8}
    scan, unrolled = {"engine": "Scan(unroll=1)"}, {"engine": "Unrolled()"}
    compiled = {**split, "of": "compiling"}
    section = speed.section(
        [
            entry("peers", *layers(dict.fromkeys(PEERS, 9.0)), commit="old"),
            entry("peers", *layers(PEERS)),
            entry(
                "memory",
                of({**memory, **scan}, 8e8, "B"),
                of({**memory, "engine": "Remat(chunk=None)"}, 5e7, "B"),
            ),
            entry(
                "scan_vs_unrolled",
                of({**compiled, **scan}, 0.5, "s"),
                of({**compiled, **unrolled}, 4.0, "s"),
                of({**split, **unrolled}, 1.25, "times Scan"),
            ),
            entry(
                "startup",
                of({"what": "import rnnlab.nn"}, 1.0, "s"),
                of({"what": speed.FIRST_STEP}, 6.0, "s"),
                commit="def",
            ),
        ]
    )
    assert section.count("| 1.25 (flax) | 0.75 |") == 6
    assert max(map(len, section.splitlines()[8:])) <= 88
    text = section.replace("\n", " ")
    for words in (
        "| GRU layer, forward and backward | B, T, H: 64, 70, 512 | 1.25 (flax)",
        "takes 50 MB of temporaries, forward and backward, `Scan()` 800 MB",
        "An LSTM's 8 steps",
        "take 8 times as long to compile as `Scan()` takes, and then 1.25 times",
        "takes 1.0 s; `launch.run` with its defaults has done its first step after 6.0",
        "Medians, on a box; by suite: peers at abc, other processes at 10%; scan",
        "; startup at def, other processes at 10%.",
    ):
        assert words in text


@pytest.mark.parametrize("others", [0.11, None])
def test_what_neighbours_disturbed_is_no_claim_beside_torch(others):
    quiet = entry("peers", *layers(PEERS))
    loud = entry("peers", *layers({**PEERS, "torch": 27.0}), commit="def")
    loud = loud._replace(others=others)
    assert speed.section([quiet, loud]) == speed.section([quiet])
    assert speed.section([loud]) == ""


def test_a_share_that_is_not_known_is_none(tmp_path):
    new = ledger.entry("lm", 5, float("nan"), Outcome("", (TOLD,)))
    ledger.append(tmp_path / "history.jsonl", new)
    assert ledger.read(tmp_path / "history.jsonl")[0].others is None


@pytest.mark.parametrize(
    ("suite", "measurements", "missing"),
    [
        ("peers", layers({"rnnlab": 1.0, "flax": 2.0}), "times rnnlab"),
        ("peers", layers({"rnnlab": 1.0, "torch": 2.0}), "times rnnlab"),
        ("startup", [], "import rnnlab.nn"),
    ],
)
def test_a_number_that_the_claims_lack_is_named(suite, measurements, missing):
    with pytest.raises(InputError, match=rf"{missing}.*--suite={suite} at abc"):
        speed.section([entry(suite, *measurements)])


def test_the_readme_says_what_the_history_does():
    wanted = speed.section(ledger.read(bench.HISTORY))
    assert markers.split(bench.README, "claims")[1] == wanted
