"""The suite of dynamic evaluation: a row for each way, and following follows."""

import jax
import numpy as np

from launch.suites import dynamic as suite

SHAPE = suite.Shape(rows=2, layers=1, features=4, vocab_size=7)


def test_each_way_has_a_row_and_reads_the_whole_text(monkeypatch):
    monkeypatch.setattr(suite, "SECONDS", 1e-3)
    outcome = suite.measure(1, (SHAPE,))
    rows = outcome.table.splitlines()[-5:]
    names = ["plain", "sgd, every 5", "sgd, every 20", "rms, every 5", "rms, every 20"]
    assert [row.split(" | ")[1] for row in rows] == names
    assert rows[0].split(" | ")[3] == "1.00"
    assert len(outcome.measurements) == 2 * len(names)


def test_what_follows_reads_otherwise_than_what_is_plain(monkeypatch):
    kept = []
    monkeypatch.setattr(jax, "block_until_ready", kept.append)
    nats = {}
    for name, run in suite.ways(SHAPE).items():
        run()
        nats[name] = np.concatenate([np.asarray(found.nats) for found in kept.pop()])
    plain = nats.pop("plain")
    assert plain.shape == (suite.STEPS, SHAPE.rows)
    for found in nats.values():
        assert found.shape == plain.shape
        np.testing.assert_allclose(found[:5], plain[:5], rtol=1e-5)
        assert np.abs(found[-5:] - plain[-5:]).max() > 1e-4
