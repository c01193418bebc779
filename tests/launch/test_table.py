"""The table of a folder of runs, in each of its forms."""

import csv
import io
import json

import pytest
from workdirs import make

from launch import tables
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


def cells(text):
    return list(csv.reader(io.StringIO(text)))


def test_csv_has_all_figures(folder):
    head, *rows = cells(tables.text(folder, base="cell=lstm", form="csv"))
    assert head == HEAD
    gru, lstm, dropped = rows
    assert gru[:7] == ["gru", "0", "2", "0.625", "0.17678", "0.5", "-0.625"]
    assert lstm[:7] == ["lstm", "0", "2", "1.25", "0.35355", "1", "base"]
    assert dropped == ["gru", "0.5", "1", "2", "", "2", "+0.75", "", ""]
    low, high = gru[7].split(" to ")
    assert float(low) < -0.625 < float(high) and 0 < float(gru[8]) < 1


def test_text_and_markdown_have_the_same_cells_and_say_what_they_are(folder):
    plain = cells(tables.text(folder, base="cell=lstm", form="csv"))
    text, _, note = tables.text(folder, base="cell=lstm").rpartition("\n\n")
    for line, row in zip(text.splitlines(), plain, strict=True):
        assert line.split() == " ".join(row).split()
    assert "valid.loss of finished runs, lower is better; base: cell=lstm, dro" in note
    marked, *_ = tables.text(folder, base="cell=lstm", form="markdown").split("\n\n")
    lines = marked.splitlines()
    assert lines[1] == "|" + "--:|" * len(HEAD)
    for line, row in zip([lines[0], *lines[2:]], plain, strict=True):
        assert [cell.strip() for cell in line.strip("|").split("|")] == row


@pytest.mark.parametrize(
    ("better", "first", "best"), [("min", "gru", "0.5"), ("max", "gru", "2")]
)
def test_the_best_is_the_base_where_none_is_named(folder, better, first, best):
    _, row, *_ = cells(tables.text(folder, better=better, form="csv"))
    assert row[0] == first and row[5] == best and row[6] == "base"


def test_the_base_is_the_sweeps_own(folder):
    (folder / "sweep.json").write_text(
        json.dumps({"experiment": "e", "plan": {}, "base": "lstm-0.0-0", "points": []})
    )
    rows = cells(tables.text(folder, form="csv"))
    assert [row[0] for row in rows if row[6] == "base"] == ["lstm"]


def test_what_did_not_finish_is_told(folder):
    make(folder / "z", {"cell": "rhn"}, events=["started", ("failed", "no room")])
    (make(folder / "zz") / "config.json").write_text("{")
    line = {"event": "failed", "run": "z", "point": "cell=rhn", "message": "a|b"}
    (folder / "events.jsonl").write_text(json.dumps(line) + "\n")
    text = tables.text(folder)
    assert "cell=rhn failed: a|b" in text and "zz: " in text
    row = cells(tables.text(folder, form="csv"))[-1]
    assert row[:4] == ["rhn", "0", "0", ""] and row[-1] == "1 failed"


def test_what_nothing_has_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="of 5 that are finished .* has 'test.loss'"):
        tables.text(folder, metric="test.loss")
