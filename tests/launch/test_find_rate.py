"""The command that suggests a learning rate, as a person starts it."""

import json

import pytest


@pytest.fixture
def find(run, corpus):
    def find(folder, *flags):
        data = [f"--data={corpus}", f"--cache_dir={folder / 'cache'}"]
        small = ["--features=8", "--batch_size=4", "--length=10"]
        return run("find_rate", f"--workdir={folder}", *data, *small, *flags)

    return find


def test_it_prints_draws_and_keeps_what_it_found(find, tmp_path):
    code, out, err = find(tmp_path, "--tries=60", "--lowest=1e-4", "--highest=0.01")
    assert code == 0, err
    printed, _, told = out.partition("}\n")
    kept = json.loads((tmp_path / "rates.json").read_text())
    assert json.loads(printed + "}") == {k: kept[k] for k in ("steepest", "cautious")}
    assert 1e-4 <= kept["steepest"] <= 0.01 and kept["cautious"] is None
    assert told == "The loss did not diverge up to 0.01; raise --highest.\n"
    assert len(kept["losses"]) == 60 and kept["losses"][-1] < kept["losses"][0]
    assert kept["rates"][0] == pytest.approx(1e-4)
    assert kept["rates"][-1] == pytest.approx(0.01)
    for name in ("rates.png", "rates.svg"):
        assert (tmp_path / name).stat().st_size > 1000


def test_rates_rise(find, tmp_path):
    code, _, err = find(tmp_path, "--lowest=1", "--highest=0.1")
    assert code == 2
    assert err == "error: --highest must be above --lowest=1, got 0.1; raise it.\n"
