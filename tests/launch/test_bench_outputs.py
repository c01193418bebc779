"""The suite of output layers: a row for each, and words of Zipf's law."""

import numpy as np

from launch.suites import outputs as suite
from launch.suites.lm import Shape

SHAPE = Shape(batch=2, steps=3, features=4, vocab_size=40)


def test_each_output_has_a_row_and_a_size(monkeypatch):
    monkeypatch.setattr(suite, "SECONDS", 1e-3)
    outcome = suite.measure(1, (SHAPE,))
    names = [*suite.OUTPUTS, suite.DENSE]
    rows = [row.split(" | ") for row in outcome.table.splitlines()[-len(names) :]]
    assert [row[1] for row in rows] == names
    assert rows[0][3] == "1.00" and rows[-1][-1] == "- |"
    assert len(outcome.measurements) == 2 * len(names) + len(suite.OUTPUTS)


def test_of_many_words_there_is_no_mixture(monkeypatch):
    monkeypatch.setattr(suite, "SECONDS", 1e-3)
    monkeypatch.setattr(suite, "FEWER", 40)
    assert "mixture" not in suite.measure(1, (SHAPE,)).table


def test_words_are_as_frequent_as_zipf_has_it():
    shape = Shape(batch=20, steps=500, features=1, vocab_size=1000)
    ids = np.concatenate([batch.inputs.ravel() for batch in suite.zipf(shape)])
    share = np.bincount(ids, minlength=1000) / len(ids)
    wanted = np.diff(np.log(np.arange(1, 1002))) / np.log(1000)
    np.testing.assert_allclose(share[:10], wanted[:10], rtol=0.02)
    assert ids.min() == 0 and ids.max() == 998


def test_a_dense_update_is_clipped_sgd():
    run = suite.dense(SHAPE)
    run()
    first = run()
    ids = suite.zipf(SHAPE)[0].inputs.ravel()
    count = np.bincount(ids, minlength=40)
    norm = np.sqrt((count**2).sum() * 4)
    np.testing.assert_allclose(first, -2 * count[0] * min(1, 5 / norm), rtol=1e-5)
