"""The page of launch.report: what it says, that it stays text, and how it is used."""

import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import made_runs
import numpy as np
import pytest
import scipy.stats

from experiments import drawing
from launch import groups, runs
from launch.parts import chart, curves, importance, lags, text, whole
from launch.parts.subject import subject
from rnnlab.errors import InputError

ROOT = Path(__file__).parents[2]


def about(folder, metric="valid.loss", better="min", base=None):
    found, unread = runs.find(folder)
    return subject(folder, found, unread, metric, better, base)


def page(folder, **asked):
    return whole.page(about(folder, **asked), texts=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "two cells"
    made_runs.two_cells(folder)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "<img src=x onerror=window.fired=4>"
    made_runs.two_cells(folder, made_runs.HOSTILE)
    (folder / "sweep.json").write_text(
        json.dumps(
            {
                "experiment": made_runs.HOSTILE,
                "plan": {"grid": made_runs.HOSTILE, made_runs.HOSTILE: 1},
                "base": "none",
                "points": [
                    {"run": "x", "name": made_runs.HOSTILE, "changed": {}},
                ],
            }
        )
    )
    return folder


class Reader(HTMLParser):
    """Reads a page: its elements, its text, and the rows of its tables."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.rows = [], "", []
        self.inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        self.text += data
        if self.inside:
            self.rows[-1][-1] += data

    def table(self, first):
        """Returns the rows below the head that begins with `first`, by its names."""
        head = next(row for row in self.rows if row[0].strip() == first)
        start = self.rows.index(head) + 1
        end = next(
            (k for k in range(start, len(self.rows)) if len(self.rows[k]) != len(head)),
            len(self.rows),
        )
        cells = ([cell.strip() for cell in row] for row in self.rows[start:end])
        return [dict(zip(head, row, strict=True)) for row in cells]


def test_the_table_has_mean_spread_and_test(folder):
    first, second, third = Reader(page(folder)).table("#")
    assert (first["cell"], first["valid.loss"], first["±"]) == ("gru", "1.6000", "0.10")
    assert (second["cell"], second["valid.loss"], second["±"]) == (
        "lstm",
        "2.1000",
        "0.20",
    )
    assert (first["runs"], second["runs"], third["runs"]) == ("3 of 4", "3", "0 of 1")
    p = scipy.stats.ttest_ind(*made_runs.LOSSES.values(), equal_var=False).pvalue
    assert (first["p"], second["p"], third["p"]) == ("base", f"{p:.3f}", "–")
    assert second["valid.bits_per_char"] == f"{2.1 / math.log(2):.4f}"
    assert third["valid.loss"] == third["±"] == third["time"] == "–"
    named = Reader(page(folder, base="cell=lstm")).table("#")
    assert [row["p"] for row in named] == [f"{p:.3f}", "base", "–"]
    worst = Reader(page(folder, better="max")).table("#")
    assert [row["cell"] for row in worst] == ["lstm", "gru", "rhn"]


def test_each_run_is_there_with_its_state(folder):
    found = {row["run"]: row for row in Reader(page(folder)).table("run")}
    assert len(found) == 8
    assert found["gru1"]["valid.loss"] == "1.7000" and found["gru1"]["seed"] == "1"
    assert found["gru1"]["state"] == "finished" and found["gru1"]["time"] == "1.5 min"
    assert found["lost"]["state"] == "diverged The loss is not finite."
    assert found["cut"]["state"] == "stopped" and found["cut"]["valid.loss"] == "–"


def test_settings_commands_and_versions_are_told(folder):
    found = Reader(page(folder))
    told = {row["setting"]: row for row in found.table("setting")}
    assert told.keys() == {"cell", "seed"}
    assert told["cell"]["values and runs"] == "gru ×4, lstm ×3, rhn ×1"
    assert told["cell"]["default"] == "lstm"
    command = "python -m launch.run --cell=gru --seed=2 --workdir=again/gru2"
    for part in (command, "0123456789ab", "0.10.2", "x86_64 CPU, 2 cores", "f" * 64):
        assert part in found.text
    assert "8 runs (6 finished, 1 stopped, 1 diverged)" in found.text


def test_one_run_alone_has_a_page(folder):
    found = Reader(page(folder / "gru0"))
    assert [row["valid.loss"] for row in found.table("#")] == ["1.5000"]
    assert "p" not in found.table("#")[0] and "All runs have the same" in found.text
    assert "gru0: valid.loss 1.5000 over 1 run" in found.text
    found = Reader(page(folder / "cut"))
    assert "No run has reached a valid.loss yet." in found.text


def test_hostile_text_stays_text(folder, hostile):
    plain, bad = Reader(page(folder)), Reader(page(hostile))
    kinds = {tag for tag, _ in plain.elements}
    assert {tag for tag, _ in bad.elements} <= kinds and "img" not in kinds
    assert [tag for tag, _ in bad.elements].count("script") == 2
    for _, attrs in bad.elements:
        assert not any(name.startswith("on") or name == "style" for name in attrs)
        assert not {"src", "srcset", "action", "formaction"} & attrs.keys()
        assert attrs.get("href", "data:,") == "data:,"
    shown = made_runs.HOSTILE.replace("\u202e", "\\u202e")
    assert bad.text.count(shown) == 3 and "\u202e" not in page(hostile)
    assert "default-src 'none'" in page(hostile)


def test_what_cannot_be_read_is_told_and_the_rest_is_there(tmp_path):
    made_runs.two_cells(tmp_path)
    (tmp_path / "gru0" / "config.json").write_text("{")
    (tmp_path / "gru1" / "metrics.jsonl").write_text("no row\n")
    (tmp_path / "lstm0" / "probe.json").write_text('{"layers": [1]}')
    found = Reader(page(tmp_path))
    assert found.table("#")[0]["runs"] == "2 of 3"
    for name in ("gru0", "gru1", "lstm0"):
        after = found.text.rsplit("Could not be read", 1)[1]
        assert f"{tmp_path / name}/" in after


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda f: about(f, metric="valid.los"), "did you mean valid.loss?"),
        (lambda f: about(f, metric="nothing"), "valid.loss, valid.bits_per_char"),
        (lambda f: about(f, base="cell=gruu"), "did you mean gru?"),
        (lambda f: about(f, base="cell,x"), "must be settings such as cell=lstm"),
        (lambda f: lags.norms(_probed(f, {"layers": [{}]})), "figures of launch.probe"),
    ],
)
def test_what_cannot_be_is_refused(folder, act, message):
    with pytest.raises(InputError, match=re.escape(message)):
        act(folder)


def _probed(folder, found):
    place = folder.parent / "probed"
    place.mkdir(exist_ok=True)
    (place / "probe.json").write_text(json.dumps(found))
    return runs.read(folder / "gru0")._replace(folder=place)


def test_norms_by_lag_are_those_of_the_probe(folder):
    layers = [{"curves": {"gradient_norm": [0.5, None, 0.125, 1e300]}}]
    (norms,) = lags.norms(_probed(folder, {"layers": layers}))
    np.testing.assert_array_equal(norms, [0.5, np.nan, 0.125, np.nan])


def test_a_thin_line_keeps_ends_peaks_and_gaps():
    steps = np.arange(10_000) * 3
    values = np.sin(steps / 5000)
    values[[1234, 7001]] = 50.0, -50.0
    values[4321] = np.nan
    at, found = curves.thin(steps, values, 200)
    assert len(at) <= 203 and (np.diff(at) > 0).all()
    assert at[0] == 0 and at[-1] == steps[-1]
    assert {1234 * 3, 7001 * 3, 4321 * 3} <= {*at}
    np.testing.assert_array_equal(found, values[at // 3])
    at, found = curves.thin(steps, np.where(steps < 9000, 1.0, 2.0), 200)
    assert at.tolist() == [0, 8997, 9000, steps[-1]]  # where it is level, only ends
    for count in range(4):
        few = steps[:count], values[:count]
        np.testing.assert_array_equal(curves.thin(*few, 200), few)


def test_the_median_is_that_of_the_seeds(folder):
    lines, unread = curves.collect(about(folder))
    of_gru = [line for line in lines["loss"] if line.group == 0]
    assert unread == {} and [line.middle for line in of_gru] == [False] * 4 + [True]
    *seeds, lost, middle = (line.values for line in of_gru)
    assert lost[0] == 4.5 and np.isnan(lost[1])  # it has two rows
    assert middle[0] == np.median([4.5, *(values[0] for values in seeds)])
    np.testing.assert_array_equal(middle[1:], np.median(seeds, axis=0)[1:])


def test_lines_of_200_runs_are_below_3_megabytes():
    rng = np.random.default_rng(0)
    steps = np.arange(10_000) * 10
    lines = [
        curves.Line(k % 40, "seed 0", False, steps, rng.normal(size=len(steps)))
        for k in range(240)
    ]
    every = dict.fromkeys(curves.TITLES, lines)
    drawn = text.data(curves.chart(every, curves.budget(every), "step"))
    assert 1e6 < len(drawn) < 3e6


def ten(values, means):
    settings = ({"x": value, "same": 1} for value in values)
    return [
        groups.Group(own, [], np.array([mean]))
        for own, mean in zip(settings, means, strict=True)
    ]


def test_importance_is_spearmans_and_of_choices_what_ranks_say():
    rng = np.random.default_rng(0)
    means = rng.normal(size=12)
    x = means**3 + rng.normal(size=12)
    (found,) = importance.influences(ten(x.tolist(), means))
    wanted = scipy.stats.spearmanr(x, means).statistic
    assert found.name == "x" and found.sign == 1
    assert found.strength == pytest.approx(wanted)
    (down,) = importance.influences(ten((-x).tolist(), means))
    assert down.sign == -1 and down.strength == pytest.approx(wanted)
    two = np.where(x > 0, "a", "b")
    (choice,) = importance.influences(ten(two.tolist(), means))
    ranks = scipy.stats.spearmanr(two == "a", means).statistic
    assert choice.sign == 0 and choice.strength == pytest.approx(abs(ranks))
    assert importance.influences(ten(x[:9].tolist(), means[:9])) == []


def test_a_sweep_shows_what_matters(tmp_path):
    for k in range(10):
        settings = made_runs.config(learning_rate=0.001 * (k + 1), tied=k % 2 == 0)
        result = made_runs.result(2 - 0.1 * k)
        made_runs.write(tmp_path / str(k), settings, [], result)
    found = Reader(page(tmp_path))
    bars = [a["width"] for tag, a in found.elements if a.get("class") == "bar"]
    told = found.text.replace("\n", "")
    assert re.search("learning_rate−1(.0)?tied0.17", told)
    assert bars == ["100.0", "17.4"]
    assert [tag for tag, _ in found.elements].count("polyline") == 10


def test_the_colours_are_those_of_all_pictures():
    sheet = whole.pages.asset("launch.parts", "chart.css").split("@media")[0]
    assert tuple(re.findall(r"#[0-9A-F]{6}", sheet)) == drawing.COLOURS
    assert chart.style(0) == "c0 d0" and chart.style(16) == "c2 d2"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (math.nan, "–"),
        (1.32546, "1.325"),
        (100.04, "100.0"),
        (12345.6, "12,346"),
        (3.0, "3"),
        (5e-4, "0.0005000"),
        (1.2346e-7, "1.235e-07"),
    ],
)
def test_numbers_have_four_digits(value, shown):
    assert text.number(value) == shown


def test_the_command_makes_a_page_with_a_text(corpus, tmp_path):
    place = tmp_path / "run"
    small = "--features=8 --batch_size=4 --length=10 --steps=4 --log_every=2".split()
    cache = f"--cache_dir={tmp_path / 'cache'}"
    for command in (
        ["launch.run", f"--workdir={place}", f"--data={corpus}", cache, *small],
        ["launch.report", str(place), "--samples=2", f"--out={tmp_path / 'a.html'}"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'a.html'}\n"
    assert not (place / "report.html").exists()
    found = Reader((tmp_path / "a.html").read_text())
    assert "run, 2 texts of 400 tokens." in found.text
    assert found.text.count("bottles of beer") == 0  # it has learned nothing in 4 steps
    assert [tag for tag, _ in found.elements].count("pre") == 2 + 1
