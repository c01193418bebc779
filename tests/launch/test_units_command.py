"""The command that shows units: its page, and what it refuses."""

import re


def test_units_of_a_run_and_of_another_text(run, corpus, tmp_path):
    folder = tmp_path / "run"
    data = [f"--data={corpus}", f"--cache_dir={tmp_path / 'cache'}"]
    small = ["--features=8", "--batch_size=4", "--length=10", "--steps=3"]
    code, _, err = run("run", *data, *small, f"--workdir={folder}")
    assert code == 0, err
    given = f"--workdir={folder}", f"--cache_dir={tmp_path / 'cache'}"
    code, out, err = run("units", *given, "--length=50", "--units=4")
    assert code == 0 and out.strip() == str(folder / "units.html"), err
    page = (folder / "units.html").read_text()
    assert "50 tokens of valid split" in page and "4 of 16" in page
    row = len(corpus.read_text()) * 9 // 10 // 4  # the first of train's four
    flags = [*given, "--split=train", "--length=1000000", f"--out={tmp_path / 'row'}"]
    assert run("units", *flags)[0] == 0
    tokens = int(re.search(r"([\d,]+) tokens of", (tmp_path / "row").read_text())[1]
                 .replace(",", ""))  # fmt: skip
    assert row - 20 < tokens <= row
    missing = run("units", *given, f"--text={tmp_path / 'nowhere'}")
    assert missing[0] == 2 and "nowhere" in missing[2]
    both = run("units", *given, "--text=x", "--split=test")
    assert both[0] == 2 and "--split is of the run's data" in both[2]
    (tmp_path / "odd").write_text("\u4e00\u4e01")
    odd = run("units", *given, f"--text={tmp_path / 'odd'}")
    assert odd[0] == 2 and "\u4e00" in odd[2]
