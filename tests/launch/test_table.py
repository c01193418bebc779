"""The table of a folder of runs, in each of its forms."""

import csv
import io
import json

import numpy as np
import pytest
from workdirs import make

from launch import spread, tables
from rnnlab.errors import InputError

HEAD = ["cell", "dropout", "runs", "mean", "sd", "best", "less base", "95 %", "p"]


@pytest.fixture
def folder(tmp_path):
    losses = {
        ("lstm", 0.0): (1.0, 1.5),
        ("gru", 0.0): (0.5, 0.75),
        ("gru", 0.5): (2.0,),
    }
    for (cell, dropout), values in losses.items():
        for seed, loss in enumerate(values):
            settings = {"cell": cell, "dropout": dropout, "seed": seed}
            make(tmp_path / f"{cell}-{dropout}-{seed}", settings, loss=loss)
    return tmp_path


def text(folder, form="text", **asked):
    return tables.text(tables.read(folder, **asked), form)


def cells(text):
    return list(csv.reader(io.StringIO(text)))


def test_csv_has_all_figures(folder):
    head, *rows = cells(text(folder, base="cell=lstm", form="csv"))
    assert head == HEAD
    gru, lstm, dropped = rows
    assert gru[:7] == ["gru", "0", "2", "0.625", "0.17678", "0.5", "-0.625"]
    assert lstm[:7] == ["lstm", "0", "2", "1.25", "0.35355", "1", "base"]
    assert dropped == ["gru", "0.5", "1", "2", "", "2", "+0.75", "", ""]
    low, high = gru[7].split(" to ")
    assert float(low) < -0.625 < float(high) and 0 < float(gru[8]) < 1


def test_text_and_markdown_have_the_same_cells_and_say_what_they_are(folder):
    plain = cells(text(folder, base="cell=lstm", form="csv"))
    printed, _, note = text(folder, base="cell=lstm").rpartition("\n\n")
    for line, row in zip(printed.splitlines(), plain, strict=True):
        assert line.split() == " ".join(row).split()
    assert "valid.loss of finished runs, lower is better; base: cell=lstm, dro" in note
    marked, *_ = text(folder, base="cell=lstm", form="markdown").split("\n\n")
    lines = marked.splitlines()
    assert lines[1] == "|" + "--:|" * len(HEAD)
    for line, row in zip([lines[0], *lines[2:]], plain, strict=True):
        assert [cell.strip() for cell in line.strip("|").split("|")] == row


@pytest.mark.parametrize(
    ("better", "first", "best"), [("min", "gru", "0.5"), ("max", "gru", "2")]
)
def test_the_best_is_the_base_where_none_is_named(folder, better, first, best):
    _, row, *_ = cells(text(folder, better=better, form="csv"))
    assert row[0] == first and row[5] == best and row[6] == "base"


def test_the_base_is_the_sweeps_own(folder):
    (folder / "sweep.json").write_text(
        json.dumps({"experiment": "e", "plan": {}, "base": "lstm-0.0-0", "points": []})
    )
    rows = cells(text(folder, form="csv"))
    assert [row[0] for row in rows if row[6] == "base"] == ["lstm"]


def test_what_did_not_finish_is_told(folder):
    make(folder / "z", {"cell": "rhn"}, events=["started", ("failed", "no room")])
    (make(folder / "zz") / "config.json").write_text("{")
    line = {"event": "failed", "run": "z", "point": "cell=rhn", "message": "a|b"}
    (folder / "events.jsonl").write_text(json.dumps(line) + "\n")
    printed = text(folder)
    assert "cell=rhn failed: a|b" in printed and "zz: " in printed
    row = cells(text(folder, form="csv"))[-1]
    assert row[:4] == ["rhn", "0", "0", ""] and row[-1] == "1 failed"


def test_what_nothing_has_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="'test.loss' .* 5 runs .* 5 are fin"):
        text(folder, metric="test.loss")


def test_the_picture_has_each_run_mean_and_range(folder):
    make(folder / "running", {"cell": "rhn"})  # without a figure: not in it
    table = tables.read(folder, base="cell=lstm")
    (axes,) = spread.figure(table.rows, table.metric, table.base).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [
        "cell=gru, dropout=0",
        "cell=lstm, dropout=0",
        "cell=gru, dropout=0.5",
    ]
    drawn = [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()]
    assert drawn == [[1.25, 1.25], [0.5, 0.75], [1, 1.5], [2], [0.625, 1.25]]
    (ranges,) = axes.collections
    assert [s[:, 0].tolist() for s in ranges.get_segments()] == [
        [0.5, 0.75],
        [1, 1.5],
        [2, 2],
    ]
    assert axes.get_xlabel() == "valid.loss"


def test_a_picture_needs_a_name_that_says_what_it_is(tmp_path):
    with pytest.raises(InputError, match=r"--figure .* \.png or \.svg, got .*a\.jpg"):
        spread.check(tmp_path / "a.jpg")


def test_a_failure_that_was_mended_is_not_told(folder):
    """The name of a point changes when its sweep gets more seeds."""
    lines = [
        {"event": "failed", "run": "a", "point": "cell=gru", "message": "disk full"},
        {"event": "finished", "run": "a", "point": "cell=gru, seed=0", "message": ""},
        {"event": "failed", "message": "of a run of this folder itself"},
    ]
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert "failed" not in text(folder)
