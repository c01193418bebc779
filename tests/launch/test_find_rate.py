"""The command that suggests a learning rate, as a person starts it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def find(folder, corpus, *flags):
    command = [
        sys.executable, "-m", "launch.find_rate", f"--workdir={folder}",
        f"--data={corpus}", f"--cache_dir={folder / 'cache'}", "--features=8",
        "--batch_size=4", "--length=10", *flags,
    ]  # fmt: skip
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240
    )


def test_it_prints_draws_and_keeps_what_it_found(tmp_path, corpus):
    ended = find(tmp_path, corpus, "--tries=60", "--lowest=1e-4", "--highest=0.01")
    assert ended.returncode == 0, ended.stderr
    printed, _, told = ended.stdout.partition("}\n")
    kept = json.loads((tmp_path / "rates.json").read_text())
    assert json.loads(printed + "}") == {k: kept[k] for k in ("steepest", "cautious")}
    assert 1e-4 <= kept["steepest"] <= 0.01 and kept["cautious"] is None
    assert told == "The loss did not diverge up to 0.01; raise --highest.\n"
    assert len(kept["losses"]) == 60 and kept["losses"][-1] < kept["losses"][0]
    assert kept["rates"][0] == pytest.approx(1e-4)
    assert kept["rates"][-1] == pytest.approx(0.01)
    for name in ("rates.png", "rates.svg"):
        assert (tmp_path / name).stat().st_size > 1000


def test_rates_rise(tmp_path, corpus):
    ended = find(tmp_path, corpus, "--lowest=1", "--highest=0.1")
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: --highest must be above --lowest=1, got 0.1; raise it.\n"
    )
