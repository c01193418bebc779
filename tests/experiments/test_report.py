"""A study's report: whole in one file, escaped, and readable on a phone."""

import functools
import json
import re
import subprocess
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest

from experiments.vanishing_gradients import figures, report
from experiments.vanishing_gradients.study import Findings
from tests.chromium import CHROMIUM, FLAGS

HOSTILE = "<script>alert(1)</script> & \"'> | `x` <img src=http://a.b/c onerror=x>"
VOID = {"meta", "link", "img"}


def drawn():
    norms = np.exp(-np.arange(30.0) * np.array([[0.1], [0.2], [0.3]]))
    return {
        "success": (figures.success({"tanh": {"SGD": {20: (5, 5)}}}), "Success."),
        "lags": (figures.by_lag({"at first": {"LSTM": norms}}), "Norms."),
        "heat": (figures.heat(norms, range(30), range(3), "x", "y", "z"), "Heat."),
    }


@functools.cache
def page(text=None, source="https://arxiv.org/abs/1211.5063"):
    """Returns a page, all of its texts `text` where there is one."""
    rows = [[text or f"method {k}", text or f"{k / 7:.6f}"] * 4 for k in range(3)]
    findings = Findings(
        [text or "a name of a column"] * 8,
        rows,
        text or "Reproduced in part.",
        {k: (figure, text or caption) for k, (figure, caption) in drawn().items()},
    )
    texts = [text or word for word in ("Title", "A claim.", "Done so.", "python -m a")]
    facts = {text or "commit": text or "0123456789abcdef" * 4}
    return report.page(*texts[:2], source, *texts[2:], findings, facts)


class Reader(HTMLParser):
    """Reads a page, and fails where an element is not closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def test_the_page_says_all_in_order():
    text = Reader(page()).text
    parts = ["Title", "A claim.", "Reproduced in part.", "Done so.", "0.285714"]
    places = [text.rindex(part) for part in [*parts, "Heat.", "python -m a", "0123"]]
    assert places == sorted(places)


def test_the_page_can_be_read_by_ear_and_keyboard():
    found = Reader(page())
    assert found.all("html") == [{"lang": "en"}]
    assert len(found.all("h1")) == 1 and len(found.all("h2")) == 6
    assert [th["scope"] for th in found.all("th")] == ["col"] * 8 + ["row"] * 3
    assert [image["alt"] for image in found.all("img")] == [
        "successful runs (95 % interval) against sequence length (steps); panels: tanh;"
        " lines: SGD.",
        "norm of the gradient against lag (steps before the loss); panels: at first;"
        " lines: LSTM.",
        "y against x; colour: z.",
    ]
    boxes = [box for box in found.all("div") if "scroll" in box["class"]]
    assert len(boxes) == 4 and all(b["tabindex"] == "0" for b in boxes)
    assert len({box["aria-label"] for box in boxes}) == 4


def test_hostile_text_stays_text():
    plain, hostile = Reader(page()), Reader(page(HOSTILE, source=HOSTILE))
    names = [tag for tag, _ in plain.elements if tag not in ("a", "span")]
    assert [tag for tag, _ in hostile.elements if tag != "span"] == names
    # Title, h1, claim, link, verdict, protocol, command, 32 cells, 3 captions, 2 facts.
    assert hostile.text.count(HOSTILE) == 7 + 32 + 3 + 2
    assert not hostile.all("a") and plain.all("a")


def test_a_link_goes_to_the_web_alone():
    plain = report.page(
        "", "", "javascript:alert(1)", "", "", Findings(["a"], [], "", {}), {}
    )
    assert not Reader(plain).all("a") and "Figures" not in Reader(plain).text


def test_the_page_needs_nothing_else():
    text = page()
    found = Reader(text)
    for tag, attrs in found.elements:
        for name in ("src", "href", "srcset", "data", "action", "style"):
            wanted = "https://arxiv.org/" if (tag, name) == ("a", "href") else "data:"
            assert attrs.get(name, wanted).startswith(wanted)
        assert not any(name.startswith("on") for name in attrs)
    assert not found.all("script") and not found.all("iframe")
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"@import|url\(|@font-face", style)


def test_a_row_has_a_cell_for_each_name():
    with pytest.raises(ValueError, match="zip"):
        report.table(Findings(["a", "b"], [["1"]], "", {}))
    assert report.table(Findings(["a"], [], "", {})) == "| a |\n| --- |\n"


def test_the_table_in_markdown():
    rows = [["a|b", "1.5"], ["<c>\nd", "−2 %"]]
    assert report.table(Findings(["x", "y"], rows, "", {})).splitlines() == [
        "| x | y |",
        "| --- | ---: |",
        "| a\\|b | 1.5 |",
        "| &lt;c&gt; d | −2 % |",
    ]


def test_all_files_are_written_the_same_twice(tmp_path):
    found = []
    for _ in range(2):
        findings = Findings(["a"], [["1"]], "Reproduced.", drawn())
        page = report.page("T", "C", "https://a.b", "P", "run", findings, {})
        report.write(tmp_path, findings, page)
        found.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert found[0] == found[1]
    pictures = {f"{name}.{kind}" for name in drawn() for kind in ("png", "svg")}
    assert found[0].keys() == {"report.html", "table.md", *pictures}


MEASURE = """<!doctype html><meta charset="utf-8"><title>wait</title>
<iframe width="360" height="800" srcdoc="PAGE"></iframe>
<script>onload = () => {
  const page = document.querySelector("iframe").contentDocument;
  const root = page.documentElement;
  document.title = JSON.stringify({
    over: root.scrollWidth - root.clientWidth,
    images: [...page.images].map(image => [image.naturalWidth, image.clientWidth]),
    cards: [...page.querySelectorAll(".scroll")].map(
      box => [box.clientWidth, box.scrollWidth]),
    card: getComputedStyle(page.querySelector(".card")).backgroundColor,
    command: page.querySelector("code").innerText,
  });
}</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to show the page")
def test_a_browser_shows_it_on_a_phone_without_errors(tmp_path):
    (tmp_path / "frame.html").write_text(MEASURE.replace("PAGE", escape(page())))
    shown = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "CONSOLE" not in shown.stderr
    found = json.loads(re.search("<title>(.*?)</title>", shown.stdout)[1])
    assert found["over"] <= 0  # what is wide scrolls in its own box
    assert all(wide < whole for wide, whole in found["cards"])
    assert len(found["images"]) == 3
    assert all(natural > 0 and width >= 600 for natural, width in found["images"])
    assert found["card"] == "rgb(255, 255, 255)"
    assert found["command"] == "python -m a"
